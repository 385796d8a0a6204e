"""What `torch_workflow` costs, beside loops written by hand and other packages, in one run.

Prints the median, the fastest and the slowest of some rounds of every measurement, with the ratio
to its baseline, and says which targets are met. Then it writes all times to docs/measured.py, which
the page docs/speed.md reads.

Trainings are measured in processes of their own (once.py), which take turns; so are imports.
Everything runs on one thread: more would make the times depend on what else the computer does.
With five rounds it takes about twenty minutes.
"""

import argparse
import datetime
import importlib.metadata
import importlib.util
import os
import platform
import runpy
import statistics
import subprocess
import sys
from pathlib import Path

import files
import growth
import imports
import memory
import torch
from tasks import TASKS

ROOT = Path(__file__).parents[1]
PLACE = ROOT / ".cache"  # on the disk that the project is on; /tmp is often no disk

PARTS = ("line", "rows", "files", "imports", "growth", "kills")
PEERS = {
    "Accelerate": "accelerate",
    "Ignite": "ignite",
    "skorch": "skorch",
    "fastai": "fastai",
    "Lightning": "lightning",
    "Keras": "keras",
}
LINE = {
    "by hand": "whole",
    "fit": "fit_batches",
    "DataLoader": "loader",
    "fit, DataLoader": "fit_loader",
    **PEERS,
}
ROWS = {
    "DataLoader": "loader",
    "fit, DataLoader": "fit_loader",
    "batch sampler": "loader_of_batches",
    "slices": "slices",
    "fit": "fit_batches",
    **PEERS,
}
PACKAGES = (
    *("torch", "safetensors", "torch-workflow", "accelerate", "fastai", "keras", "lightning"),
    *("pytorch-ignite", "skorch"),
)

Seconds = dict[str, list[float]]


def train(task: str, ways: dict[str, str], size: int, rounds: int) -> tuple[Seconds, dict]:
    """Seconds of each way to train, and the validation loss it ends with.

    Raises:
        RuntimeError: A way ends somewhere else than the first one: it did something else.
    """
    seconds: Seconds = {name: [] for name in ways}
    losses: dict[str, float] = {}
    for _ in range(rounds):
        for name, way in ways.items():
            taken, loss = train_once(task, way, size)
            seconds[name].append(taken)
            losses[name] = loss
            first = losses[next(iter(ways))]
            if abs(loss - first) > TASKS[task]().tolerance * min(loss, first):
                raise RuntimeError(f"{name} ends with a loss of {loss}, the first way with {first}")
    return seconds, losses


def train_once(task: str, way: str, size: int) -> tuple[float, float]:
    """Seconds and the last validation loss of a training in a new process."""
    command = [sys.executable, Path(__file__).with_name("once.py"), task, way, str(size)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    for line in done.stdout.splitlines():
        if line.startswith("measured "):
            taken, loss = map(float, line.split()[1:])
            return taken, loss
    raise RuntimeError(f"{task} by {way} failed:\n{done.stderr}")


def installed(ways: dict[str, str]) -> dict[str, str]:
    """The ways whose package is there; the others are named, and why."""
    found = {}
    for name, way in ways.items():
        if name in PEERS and importlib.util.find_spec(way) is None:
            print(f"{name} is left out: it is not installed")
        else:
            found[name] = way
    return found


def table(title: str, seconds: Seconds, unit: float = 1.0) -> None:
    """Print medians, spreads and the ratio to the first way."""
    first = statistics.median(next(iter(seconds.values())))
    print(f"\n{title:<34} {'median':>9} {'fastest':>9} {'slowest':>9} {'ratio':>7}")
    for name, values in seconds.items():
        middle = statistics.median(values)
        numbers = (f"{value * unit:9.4g}" for value in (middle, min(values), max(values)))
        print(f"{name:<34}", *numbers, f"{middle / first:7.2f}", flush=True)


def growth_tables(title: str, times: growth.Times) -> None:
    """Print for each size what one row or epoch takes, in microseconds."""
    for count in next(iter(times.values())):
        own = {name: sizes[count] for name, sizes in times.items() if count in sizes}
        table(f"{count} {title}, µs each", own, 1e6 / count)


def targets(results: dict) -> dict[str, list]:
    """What came, and what was aimed at."""
    line, rows, saved, started = (results[name] for name in ("LINE", "ROWS", "FILES", "IMPORTS"))
    held, safe = results["MEMORY"], saved["write, rename"]

    def ratio(one: list[float], other: list[float]) -> float:
        return statistics.median(one) / statistics.median(other)

    loaded = ratio(saved["verify=False"], saved["safetensors"])
    imported = ratio(started["with package"], started["torch"])
    by_loader = ratio(rows["DataLoader"], rows["fit, DataLoader"])
    batches = (held["peak"] - held["order"]) / held["batch"]
    return {
        "line: fit / by hand": [ratio(line["fit"], line["by hand"]), "<=", 1.0],
        "rows/s: fit / slices": [ratio(rows["slices"], rows["fit"]), ">=", 0.95],
        "rows/s: fit / DataLoader": [ratio(rows["DataLoader"], rows["fit"]), ">=", 5.0],
        "rows/s: DataLoader, fit / hand": [by_loader, ">=", 1.0],
        "batches held, beside the order": [batches, "<=", 2],
        "save_model / write, rename": [ratio(saved["save_model"], safe), "<=", 1.3],
        "save_checkpoint / same": [ratio(saved["save_checkpoint"], safe), "<=", 1.3],
        "load_model / safetensors": [loaded, "<=", 1.2],
        "import: with package / torch": [imported, "<=", 1.05],
    }


def print_targets(aims: dict[str, list]) -> None:
    """Print for each target whether it is met."""
    print(f"\n{'target':<34} {'came':>7} {'aim':>8}")
    for name, (came, sign, aim) in aims.items():
        met = came <= aim if sign == "<=" else came >= aim
        print(f"{name:<34} {came:7.3f} {sign:>3} {aim:<4} {'met' if met else 'NOT MET'}")


def machine() -> str:
    """The processor, its cores, and what runs on it."""
    name = platform.processor() or platform.machine()
    information = Path("/proc/cpuinfo")
    if information.exists():
        lines = information.read_text().splitlines()
        name = next((x.split(":")[1].strip() for x in lines if x.startswith("model name")), name)
    return f"{os.cpu_count()} cores, {name}, {platform.system()}"


def versions() -> dict[str, str]:
    """Of Python and of the packages that are installed."""
    found = {"Python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def written(value: object, indent: int = 0) -> str:
    """A value as Python source, as `ruff format` writes it; numbers with three digits."""
    if isinstance(value, dict):
        inner = " " * (indent + 4)
        pairs = (f"{inner}{written(k)}: {written(v, indent + 4)},\n" for k, v in value.items())
        return f"{{\n{''.join(pairs)}{' ' * indent}}}"
    if isinstance(value, list):
        values = [written(each) for each in value]
        line = f"[{', '.join(values)}]"
        if len(line) <= 72:  # beside a name and an indent, a hundred
            return line
        each_line = "".join(f"{' ' * (indent + 4)}{each},\n" for each in values)
        return f"[\n{each_line}{' ' * indent}]"
    if isinstance(value, float):
        return repr(float(f"{value:.3g}"))
    return str(value) if isinstance(value, int) else f'"{value}"'


NOTES = {
    "LINE": "Seconds for {epochs} epochs of 40 rows",
    "LINE_LOSS": "The validation loss after them",
    "ROWS": "Seconds for one epoch of {rows} rows",
    "ROWS_LOSS": "The validation loss after it",
    "MEMORY": "Bytes: the most that an epoch of shuffled batches holds, and its parts",
    "FILES": "Seconds to save or load 50 MB",
    "IMPORTS": "Seconds from the start of a process to its end",
    "GROWTH_ROWS": "Seconds for one epoch, by the number of rows",
    "GROWTH_EPOCHS": "Seconds for a run on 40 rows, by the number of epochs",
    "KILLS": "What the file was after each kill during a save",
    "TARGETS": "What came, and what was aimed at",
}


def write(path: Path, results: dict, sizes: dict[str, int]) -> None:
    """Write the results as a module of literals."""
    parts = ['"""What `make bench` measured, which also writes this file anew."""\n']
    for name, value in results.items():
        note = f"# {NOTES[name].format(**sizes)}.\n" if name in NOTES else ""
        parts.append(f"{note}{name} = {written(value)}\n")
    path.write_text("\n".join(parts))


def main() -> None:
    """Measure, print, and write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5, help="of each measurement (5)")
    parser.add_argument("--quick", action="store_true", help="less work, once, and no file written")
    parser.add_argument("--output", type=Path, help="the file to write (docs/measured.py)")
    parser.add_argument(
        "--only", nargs="+", choices=PARTS, default=PARTS, help="keep the rest of the file"
    )
    arguments = parser.parse_args()
    quick, rounds = arguments.quick, 1 if arguments.quick else arguments.rounds
    sizes = {"epochs": 100, "rows": 20_000} if quick else {"epochs": 1000, "rows": 1_000_000}
    output = arguments.output or (None if quick else ROOT / "docs" / "measured.py")
    PLACE.mkdir(exist_ok=True)
    torch.set_num_threads(1)
    torch.optim.SGD([torch.zeros(1)])  # the first one imports a lot

    wanted = set(arguments.only)
    before = {} if wanted == set(PARTS) else runpy.run_path(ROOT / "docs" / "measured.py")
    results = {name: value for name, value in before.items() if name.isupper()}
    results |= {
        "DATE": datetime.date.today().isoformat(),
        "MACHINE": machine(),
        "VERSIONS": versions(),
        "SIZES": sizes,
    }
    print(f"{results['MACHINE']}; {rounds} rounds; seconds where nothing else is said")
    print(*(f"{name} {version}" for name, version in results["VERSIONS"].items()), sep=", ")

    if "line" in wanted:
        ways = installed(LINE)
        results["LINE"], results["LINE_LOSS"] = train("line", ways, sizes["epochs"], rounds)
        table(f"{sizes['epochs']} epochs of 40 rows", results["LINE"])
    if "rows" in wanted:
        ways = installed(ROWS)
        results["ROWS"], results["ROWS_LOSS"] = train("rows", ways, sizes["rows"], rounds)
        table(f"an epoch of {sizes['rows']} rows", results["ROWS"])
        results["MEMORY"] = memory.measure(sizes["rows"])
        print(f"\nshuffled batches hold at most {results['MEMORY']['peak']} bytes", end="")
        print(" (order {order}, a batch {batch}, data {data})".format(**results["MEMORY"]))
    if "files" in wanted:
        results["FILES"] = files.measure(max(rounds, 7), PLACE, 2 if quick else 12)
        table("files, ratio to write", results["FILES"])
    if "imports" in wanted:
        results["IMPORTS"] = imports.measure(2 * rounds + 1)
        table("a process that imports", results["IMPORTS"])
    if "growth" in wanted:
        powers = (3, 4, 5) if quick else (3, 4, 5, 6, 7)
        results["GROWTH_ROWS"] = growth.with_rows(rounds, [10**n for n in powers])
        growth_tables("rows", results["GROWTH_ROWS"])
        powers, most = ((0, 1, 2), 100) if quick else ((0, 1, 2, 3, 4), 1000)
        results["GROWTH_EPOCHS"] = growth.with_epochs(rounds, [10**n for n in powers], most, PLACE)
        growth_tables("epochs", results["GROWTH_EPOCHS"])
    if "kills" in wanted:
        results["KILLS"] = kills(10 if quick else 200)
    results["TARGETS"] = targets(results)
    print_targets(results["TARGETS"])
    if output:
        write(output, results, sizes)


def kills(count: int) -> dict[str, dict[str, int]]:
    """What killing a process that saves leaves behind, for weights and for checkpoints."""
    if os.name != "posix":
        print("\nkilled saves are left out: they need signals")
        return {}
    import killed

    found = {kind: killed.killed_saves(kind, count)._asdict() for kind in killed.KINDS}
    print("\nkilled while saving")
    for kind, counts in found.items():
        print(kind, ", ".join(f"{name} {number}" for name, number in counts.items()))
    return found


if __name__ == "__main__":
    main()
