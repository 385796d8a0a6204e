"""What a save leaves behind that SIGKILL ended at a random moment: the old state or the new, whole.

A process saves one state of 50 MB after another, and says after each that it is saved. It is killed
at a random moment, the file is loaded, and the next process goes on from there. In each state every
number is the state's own, so that a mixture of two would show.

`python benchmarks/killed.py --kills 200` prints what the file was after each kill, and how many
temporary folders lay beside it.
"""

import argparse
import contextlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn

import torch_workflow
from torch_workflow import load_checkpoint, load_model, save_checkpoint, save_model

KINDS = ("weights", "checkpoint")


class Kills(NamedTuple):
    """What the file was after each kill."""

    kills: int
    interrupted: int  # kills that left a temporary folder: they came in the middle of a save
    old: int  # the file was the last state that was said to be saved
    new: int  # it was the state that was being saved
    neither: int  # it was no state, an older one, or a mixture
    strays: int  # the most temporary folders that lay beside it
    strays_at_end: int  # those that lay there after one more save


class State(nn.Module):
    """Weights, momentum and history with one number everywhere."""

    def __init__(self, kind: str, megabytes: int) -> None:
        super().__init__()
        self.kind, self.history = kind, torch_workflow.History()
        tensors = megabytes // 4 if kind == "weights" else megabytes // 8
        self.parts = nn.ParameterList(torch.zeros(1000, 1000) for _ in range(tensors))
        self.optimizer = torch.optim.SGD(self.parameters(), lr=1.0, momentum=1.0)
        if kind == "checkpoint":
            for part in self.parts:
                self.optimizer.state[part]["momentum_buffer"] = torch.zeros(1000, 1000)

    def tensors(self) -> list[torch.Tensor]:
        momentum = [state["momentum_buffer"] for state in self.optimizer.state.values()]
        return [part.data for part in self.parts] + momentum

    def fill(self, number: int) -> None:
        for tensor in self.tensors():
            tensor.fill_(number)
        self.history.train_loss[:] = [number]

    def save(self, path: Path) -> None:
        if self.kind == "weights":
            save_model(self, path)
        else:
            save_checkpoint(path, self, self.optimizer, self.history)

    def load(self, path: Path) -> int | None:
        """The number of the state in the file; None if it is no whole state."""
        self.fill(-1)
        try:
            if self.kind == "weights":
                load_model(self, path)
            else:
                load_checkpoint(path, self, self.optimizer, self.history)
        except (OSError, ValueError):
            return None
        ends = {end.item() for tensor in self.tensors() for end in tensor.aminmax()}
        if self.kind == "checkpoint":
            ends.update(self.history.train_loss)
        return int(ends.pop()) if len(ends) == 1 else None


def killed_saves(kind: str, kills: int, *, megabytes: int = 50, seed: int = 0) -> Kills:
    """Kill a process that saves, again and again, and count what that did to the file.

    Args:
        kind: "weights", saved by `save_model`, or "checkpoint", by `save_checkpoint`.
        kills: How often.
        megabytes: Of the file.
        seed: Of the moments.
    """
    moments, state = random.Random(seed), State(kind, megabytes)
    old = new = interrupted = strays = number = 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "file")
        with saver(kind, megabytes, path) as process:
            number, duration = time_a_save(process)
            for _ in range(kills):
                saved = kill_while_saving(process, number, moments.uniform(0, 3 * duration))
                found = state.load(path)
                left = len(list(path.parent.iterdir())) - 1
                old, new = old + (found == saved), new + (found == saved + 1)
                interrupted, strays = interrupted + (left > 0), max(strays, left)
                number = saved if found == saved else saved + 1
        state.save(path)
        left = len(list(path.parent.iterdir())) - 1
    return Kills(kills, interrupted, old, new, kills - old - new, strays, left)


@contextlib.contextmanager
def saver(kind: str, megabytes: int, path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process with all that saving needs, which has a child for each kill."""
    command = [sys.executable, __file__, "--saver", kind, str(megabytes), str(path)]
    source = str(Path(torch_workflow.__file__).parents[1])
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": source},
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def time_a_save(process: subprocess.Popen[str]) -> tuple[int, float]:
    """Have two states saved: the last of them, and how many seconds it took."""
    child = begin(process, 0)
    process.stdout.readline()
    started = time.perf_counter()
    process.stdout.readline()
    seconds = time.perf_counter() - started
    return end(process, child, 2), seconds


def kill_while_saving(process: subprocess.Popen[str], number: int, seconds: float) -> int:
    """Have the states after one saved, for a while; the last that was said to be saved."""
    child = begin(process, number)
    time.sleep(seconds)
    return end(process, child, number)


def begin(process: subprocess.Popen[str], number: int) -> int:
    print(number, file=process.stdin, flush=True)
    word, child = process.stdout.readline().split()
    assert word == "begins"
    return int(child)


def end(process: subprocess.Popen[str], child: int, number: int) -> int:
    os.kill(child, signal.SIGKILL)
    for line in process.stdout:
        word, saved = line.split()
        if word == "killed":
            return number
        number = int(saved)
    raise RuntimeError("the process that saves has ended by itself")


def save_until_killed(kind: str, megabytes: int, path: Path) -> None:
    """For each number on stdin, have a child save the states after it until it is killed."""
    torch.set_num_threads(1)  # a fork has none of the threads that the process has started
    state = State(kind, megabytes)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            number = int(line)
            print("begins", os.getpid(), flush=True)
            while True:
                number += 1
                state.fill(number)
                state.save(path)
                print("saved", number, flush=True)
        os.waitpid(child, 0)
        print("killed", child, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="kill processes while they save")
    parser.add_argument("--kills", type=int, default=200, help="of each kind (200)")
    parser.add_argument("--seed", type=int, default=0, help="of the moments (0)")
    parser.add_argument("--saver", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.saver:
        kind, megabytes, path = arguments.saver
        save_until_killed(kind, int(megabytes), Path(path))
        return
    print("kind      ", *(f"{name:>13}" for name in Kills._fields))
    for kind in KINDS:
        counts = killed_saves(kind, arguments.kills, seed=arguments.seed)
        print(f"{kind:10}", *(f"{count:13}" for count in counts), flush=True)


if __name__ == "__main__":
    main()
