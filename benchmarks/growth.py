"""How the time grows: with the rows of an epoch, and with the epochs of a run."""

import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import loops
import tasks
from loops import Training

ATLEAST = 0.2  # seconds; what is shorter is repeated and the median taken

Times = dict[str, dict[int, list[float]]]


def with_rows(rounds: int, counts: Sequence[int]) -> Times:
    """Seconds of an epoch over so many rows, by hand and by `fit`."""
    times: Times = {"slices": {}, "fit": {}}
    for count in counts:
        task = tasks.rows(count)
        loops.slices(task.smaller())()
        ways = {"slices": lambda task=task: loops.slices(task)}
        ways["fit"] = lambda task=task: loops.fit_batches(task)
        _take_turns(ways, count, rounds, times)
    return times


def with_epochs(rounds: int, counts: Sequence[int], checkpoints: int, place: Path) -> Times:
    """Seconds of a run of so many epochs of the line, by hand, by `fit`, and with checkpoints.

    Args:
        rounds: How often each is measured.
        counts: Epochs.
        checkpoints: The most epochs that are run with checkpoints.
        place: The folder on whose disk the checkpoints are written.
    """
    times: Times = {"by hand": {}, "fit": {}, "checkpoints": {}}
    with tempfile.TemporaryDirectory(dir=place) as folder:
        for count in counts:
            task = tasks.line(count)
            ways = {"by hand": lambda task=task: loops.whole(task)}
            ways["fit"] = lambda task=task: loops.fit_batches(task)
            if count <= checkpoints:
                ways["checkpoints"] = lambda task=task: loops.fit_checkpoint(
                    task, Path(tempfile.mkdtemp(dir=folder))
                )
            _take_turns(ways, count, rounds, times)
    return times


def _take_turns(
    ways: dict[str, Callable[[], Training]], count: int, rounds: int, times: Times
) -> None:
    for _ in range(rounds):
        for name, way in ways.items():
            times[name].setdefault(count, []).append(_seconds(way))


def _seconds(way: Callable[[], Training]) -> float:
    seconds: list[float] = []
    while sum(seconds) < ATLEAST:
        train = way()
        begin = time.perf_counter()
        train()
        seconds.append(time.perf_counter() - begin)
    return statistics.median(seconds)
