"""Time one way to train, in this process and on one thread: `python once.py line lightning 1000`.

Prints the seconds and the validation loss at the end. What imports and first calls cost is out of
the way by then: a smaller training comes first.
"""

import statistics
import sys
import time
import warnings

import loops
import peers
import tasks
import torch

ATLEAST = 1.0  # seconds; a training that is shorter is repeated and the median taken


def main(task_name: str, way_name: str, size: str) -> None:
    """Train, with a number of epochs or rows."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    task = tasks.TASKS[task_name](int(size))
    way = getattr(loops, way_name, None) or getattr(peers, way_name)
    way(task.smaller())()
    seconds: list[float] = []
    while sum(seconds) < ATLEAST:
        train = way(task)
        begin = time.perf_counter()
        train_losses, validation_losses = train()
        seconds.append(time.perf_counter() - begin)
        if not len(train_losses) == len(validation_losses) == task.epochs:
            raise RuntimeError(f"{way_name} kept no history")
    print("measured", statistics.median(seconds), validation_losses[-1])


if __name__ == "__main__":
    main(*sys.argv[1:])
