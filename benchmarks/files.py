"""Save and load a model of 50 MB, beside the least that writing and reading so much costs.

Every file lies in the page cache when it is read, and what other files have left to be written goes
to disk before a clock starts.
"""

import contextlib
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import safetensors.torch
import torch
from torch import nn

from torch_workflow import History, load_checkpoint, load_model, save_checkpoint, save_model


def measure(rounds: int, place: Path, layers: int = 12) -> dict[str, list[float]]:
    """Seconds that each way takes, the ways in turn; the first round is not counted.

    Args:
        rounds: How often each way is taken.
        place: The folder on whose disk all files are written.
        layers: Of 4.2 MB each.
    """
    seconds: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory(dir=place) as folder:
        for number in range(rounds + 1):
            for name, way in ways(Path(folder), layers).items():
                Path(folder, "new").unlink(missing_ok=True)
                os.sync()
                begin = time.perf_counter()
                way()
                taken = time.perf_counter() - begin
                if number > 0:
                    seconds.setdefault(name, []).append(taken)
    return seconds


def ways(folder: Path, layers: int) -> dict[str, Callable[[], object]]:
    """Each way to save or to load, by name; those that load come after those that save."""
    model = nn.Sequential(*(nn.Linear(1024, 1024) for _ in range(layers)))
    optimizer, history = torch.optim.SGD(model.parameters(), lr=0.1), History()
    weights, checkpoint = folder / "weights.safetensors", folder / "checkpoint.pt"
    pickled, content = folder / "pickled.pt", safetensors.torch.save(model.state_dict())

    def write(path: Path) -> None:
        with path.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())

    def write_and_rename() -> None:
        write(folder / "new")
        (folder / "new").replace(folder / "renamed")
        with contextlib.suppress(PermissionError):  # Windows opens no folder
            descriptor = os.open(folder, os.O_RDONLY)
            os.fsync(descriptor)
            os.close(descriptor)

    return {
        "write": lambda: write(folder / "new"),
        "write, rename": write_and_rename,
        "torch.save": lambda: torch.save(model.state_dict(), pickled),
        "save_model": lambda: save_model(model, weights),
        "save_checkpoint": lambda: save_checkpoint(checkpoint, model, optimizer, history),
        "safetensors": lambda: safetensors.torch.load_model(model, weights),
        "torch.load": lambda: model.load_state_dict(torch.load(pickled, weights_only=True)),
        "load_model": lambda: load_model(model, weights),
        "verify=False": lambda: load_model(model, weights, verify=False),
        "load_checkpoint": lambda: load_checkpoint(checkpoint, model, optimizer, history),
    }
