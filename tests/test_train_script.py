"""The script that readers copy from the page "Putting it all together", run as they run it."""

import contextlib
import importlib.util
import io
import os
import re
import runpy
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import TextIO

import pytest
import torch

from torch_workflow import load_model, predict

SCRIPT = Path(__file__).parents[1] / "docs" / "workflow" / "train.py"
STOPPED = "\nStopped. To go on, run the same command with --resume.\n"

needs_posix = pytest.mark.skipif(os.name != "posix", reason="it sends SIGINT or opens a terminal")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a table of 60 rows on a noisy line, in large units, and a run on it."""
    path = tmp_path_factory.mktemp("finished")
    with contextlib.chdir(path):
        noise = 20 * torch.randn(60, generator=torch.Generator().manual_seed(0))
        hours = torch.arange(60) / 60
        meters = 5000 * hours + 300 + noise
        write_table("walk.csv", ["hours", "meters"], torch.stack([hours, meters], dim=1))
        Path("printed.txt").write_text(succeed("walk.csv", "whole"))
    return path


@pytest.fixture
def folder(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of that folder, as the working directory."""
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def uninterrupted() -> str:
    return Path("printed.txt").read_text()


def write_table(path: str, names: list[str], rows: torch.Tensor) -> None:
    lines = [",".join(names), *(",".join(map(repr, row)) for row in rows.tolist())]
    Path(path).write_text("\n".join(lines) + "\n")


def run(*arguments: str, said: TextIO | None = None) -> subprocess.CompletedProcess[str]:
    """As a reader runs it, in this process, which has imported PyTorch already."""
    printed, captured, code = io.StringIO(), io.StringIO(), 0
    with (
        pytest.MonkeyPatch.context() as patch,
        torch.random.fork_rng(),
        contextlib.redirect_stdout(printed),
        contextlib.redirect_stderr(said or captured),
    ):
        patch.setattr(sys, "argv", ["train.py", *arguments])
        try:
            runpy.run_path(str(SCRIPT), run_name="__main__")
        except SystemExit as end:
            code = end.code
    return subprocess.CompletedProcess(arguments, code, printed.getvalue(), captured.getvalue())


def succeed(*arguments: str, said: TextIO | None = None) -> str:
    done = run(*arguments, said=said)
    assert done.returncode == 0, done.stderr
    return done.stdout


def losses(printed: str) -> dict[str, list[float]]:
    """What the script prints: for each part its loss and that of the mean baseline."""
    lines = re.findall(r"^(\w+) loss (\S+), mean baseline (\S+)$", printed, re.MULTILINE)
    return {name: [float(loss), float(baseline)] for name, loss, baseline in lines}


def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("train", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def stop_after_the_first_epoch(*arguments: str, output: Path) -> tuple[int, str]:
    """Press Ctrl-C once the script has written its first checkpoint."""
    process = subprocess.Popen(
        [sys.executable, str(SCRIPT), *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        # A test run in the background of a shell ignores Ctrl-C, and its children would too.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    while process.poll() is None and not (output / "last.pt").exists():
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    return process.returncode, said


def test_it_is_shorter_than_100_lines() -> None:
    assert len(SCRIPT.read_text().splitlines()) < 100


def test_it_trains_a_model_that_beats_the_mean_on_validation_and_test_rows(folder: Path) -> None:
    printed = losses(uninterrupted())
    assert list(printed) == ["validation", "test"]
    for loss, baseline in printed.values():
        assert loss < 40 < 500 < baseline
    assert sorted(path.name for path in Path("whole").iterdir()) == [
        "best.safetensors",
        "last.pt",
        "model.safetensors",
    ]


def test_its_model_takes_raw_features_and_gives_raw_labels(folder: Path) -> None:
    model = script().TableModel(columns=1)
    load_model(model, "whole/model.safetensors")
    meters = predict(model, torch.tensor([[0.25], [0.75]]))
    torch.testing.assert_close(meters, torch.tensor([[1550.0], [4050.0]]), atol=30, rtol=0)


def test_it_takes_any_number_of_features_even_one_that_never_changes(folder: Path) -> None:
    generator = torch.Generator().manual_seed(1)
    rows = torch.rand(80, 4, generator=generator)
    rows[:, 2] = 0.1
    rows[:, 3] = 1e-3 * (rows[:, 0] - 2 * rows[:, 1])
    write_table("table.csv", ["a", "b", "constant", "label"], rows)
    loss, baseline = losses(succeed("table.csv", "run"))["test"]
    assert loss < 0.05 * baseline


def test_it_takes_a_file_that_a_spreadsheet_wrote(folder: Path) -> None:
    text = Path("walk.csv").read_text()
    Path("sheet.csv").write_bytes(f"\ufeff{text}\n".replace("\n", "\r\n").encode())
    assert succeed("sheet.csv", "run") == uninterrupted()


@needs_posix
def test_a_run_that_is_stopped_and_resumed_ends_with_the_bits_of_one_that_is_not(
    folder: Path,
) -> None:
    code, said = stop_after_the_first_epoch("walk.csv", "run", output=Path("run"))
    assert (code, said) == (130, STOPPED)
    assert not Path("run/model.safetensors").exists()
    done = len(torch.load("run/last.pt", weights_only=True)["history"]["train_loss"])
    assert 0 < done < 200

    assert succeed("walk.csv", "run", "--resume") == uninterrupted()
    for name in ("best.safetensors", "model.safetensors"):
        assert Path("run", name).read_bytes() == Path("whole", name).read_bytes()
    resumed, whole = (torch.load(f"{name}/last.pt", weights_only=True) for name in ("run", "whole"))
    assert resumed["history"] == whole["history"]
    for name, weights in whole["model"].items():
        assert torch.equal(resumed["model"][name], weights)


def test_a_finished_run_can_be_made_longer(folder: Path) -> None:
    succeed("walk.csv", "run", "--epochs", "3")
    assert succeed("walk.csv", "run", "--resume") == uninterrupted()


def test_it_starts_at_the_beginning_where_there_is_nothing_to_resume(folder: Path) -> None:
    assert succeed("walk.csv", "run", "--resume") == uninterrupted()


@needs_posix
def test_it_shows_a_progress_bar_in_a_terminal(folder: Path) -> None:
    import termios

    terminal, end = os.openpty()
    termios.tcsetwinsize(end, (24, 80))
    with os.fdopen(terminal, "rb", buffering=0) as screen, ThreadPoolExecutor(1) as reader:
        shown = reader.submit(b"".join, chunks(screen))
        with os.fdopen(end, "w") as said:
            succeed("walk.csv", "run", said=said)
        assert b"training: 100%" in shown.result()


def chunks(screen: io.RawIOBase) -> Iterator[bytes]:
    with contextlib.suppress(OSError):  # Linux says so when the other end is closed
        while chunk := screen.read(4096):
            yield chunk


BAD_FILES = {
    "empty": (b"", "walk.csv needs 2 or more column names, and rows below them"),
    "names alone": (b"a,b\n", "walk.csv needs 2 or more column names, and rows below them"),
    "one column": (b"a\n1\n2\n", "walk.csv needs 2 or more column names, and rows below them"),
    "a word": (b"a,b\n1,2\n\n3,four\n", "walk.csv, line 4: expected 2 numbers, found '3, four'"),
    "a gap": (b"a,b\n1,2\n3,\n", "walk.csv, line 3: expected 2 numbers, found '3, '"),
    "not finite": (b"a,b\nnan,2\n", "walk.csv, line 2: expected 2 numbers, found 'nan, 2'"),
    "a short row": (b"a,b\n1,2\n3\n", "walk.csv, line 3: expected 2 numbers, found '3'"),
    "a long row": (b"a,b\n1,2,3\n", "walk.csv, line 2: expected 2 numbers, found '1, 2, 3'"),
    "not text": (b"a,b\n1,\xff\n", "walk.csv, line 2: expected 2 numbers, found '1, \ufffd'"),
    "few rows": (b"a,b\n1,2\n3,4\n", "each part needs at least 1 row"),
}


BAD_ARGUMENTS = {
    "a folder": ([".", "run"], "Is a directory: '.'"),
    "a file for a folder": (["walk.csv", "walk.csv"], "File exists: 'walk.csv'"),
    "no epoch": (["walk.csv", "run", "--epochs", "0"], "epochs is 0: train for a whole number"),
    "not a number": (["walk.csv", "run", "--epochs", "ten"], "invalid int value: 'ten'"),
    "below zero": (["walk.csv", "run", "--learning-rate", "-1"], "Invalid learning rate: -1.0"),
    "infinite": (["walk.csv", "run", "--learning-rate", "inf"], "loss is nan in epoch 1"),
    "fewer epochs": (["walk.csv", "whole", "--resume", "--epochs", "9"], "the checkpoint has 200"),
}


def test_bad_input_ends_it_with_exit_code_2_and_one_sentence(folder: Path) -> None:
    refuse(["missing.csv", "run"], "No such file or directory: 'missing.csv'")


@pytest.mark.parametrize(("content", "message"), BAD_FILES.values(), ids=BAD_FILES)
def test_it_says_what_is_wrong_with_a_file(folder: Path, content: bytes, message: str) -> None:
    Path("walk.csv").write_bytes(content)
    refuse(["walk.csv", "run"], message)
    assert not Path("run").exists()


@pytest.mark.parametrize(("arguments", "message"), BAD_ARGUMENTS.values(), ids=BAD_ARGUMENTS)
def test_it_says_what_is_wrong_with_an_argument(
    folder: Path, arguments: list[str], message: str
) -> None:
    refuse(arguments, message)


def test_it_does_not_overwrite_a_run(folder: Path) -> None:
    before = Path("whole/last.pt").read_bytes()
    message = "whole holds a run: add --resume or name a new folder"
    refuse(["walk.csv", "whole"], message)
    assert Path("whole/last.pt").read_bytes() == before


def test_it_does_not_go_on_with_a_table_of_other_columns(folder: Path) -> None:
    write_table("wide.csv", ["a", "b", "label"], torch.arange(180.0).reshape(60, 3))
    message = "last.pt is of another model"
    refuse(["wide.csv", "whole", "--resume"], message)


def test_it_says_which_file_of_a_run_is_missing(folder: Path) -> None:
    Path("whole/best.safetensors").unlink()
    message = "No such file or directory"
    refuse(["walk.csv", "whole", "--resume"], message)


def refuse(arguments: list[str], message: str) -> None:
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    usage, sentence = done.stderr.split("train.py: error: ")
    assert usage.startswith("usage: train.py")
    assert message in sentence
    assert sentence.count("\n") == 1
