"""Saved weights and checkpoints: what comes back, what is refused, what a failed save leaves."""

import collections
import contextlib
import importlib.util
import json
import os
import pickle
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import ExponentialLR, LRScheduler, StepLR

import torch_workflow
from torch_workflow import (
    History,
    LinearRegression,
    load_checkpoint,
    load_model,
    save_checkpoint,
    save_model,
)

KILLED = Path(__file__).parents[2] / "benchmarks" / "killed.py"


def network(outputs=3) -> nn.Module:
    """Has parameters and buffers, one of them an integer."""
    return nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4), nn.Dropout(), nn.Linear(4, outputs))


def same_weights(model, other) -> bool:
    weights, others = model.state_dict(), other.state_dict()
    return weights.keys() == others.keys() and all(
        torch.equal(weights[name], others[name]) and weights[name].dtype == others[name].dtype
        for name in weights
    )


def copy_of(model) -> nn.Module:
    copy = network()
    copy.load_state_dict(model.state_dict())
    return copy


def frozen(value) -> Any:
    """The same value in plain numbers, which can be compared later."""
    if isinstance(value, torch.Tensor):
        return str(value.dtype), value.tolist()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, dict):
        return {key: frozen(item) for key, item in value.items()}
    return [frozen(item) for item in value] if isinstance(value, list | tuple) else value


@dataclass
class Run:
    """All that a checkpoint keeps."""

    model: nn.Module
    optimizer: Optimizer
    scheduler: LRScheduler | None
    generators: list[torch.Generator]
    history: History

    def step(self):
        self.optimizer.zero_grad()
        self.model.eval()  # without dropout, so that a step is the same each time
        self.model(torch.ones(5, 2)).square().mean().backward()
        self.optimizer.step()
        self.scheduler.step()

    def save(self, path):
        save_checkpoint(
            path,
            self.model,
            self.optimizer,
            self.history,
            scheduler=self.scheduler,
            generators=self.generators,
        )

    def load(self, path):
        load_checkpoint(
            path,
            self.model,
            self.optimizer,
            self.history,
            scheduler=self.scheduler,
            generators=self.generators,
        )

    def everything(self) -> Any:
        """All that loading a checkpoint changes."""
        return frozen(
            {
                "model": self.model.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "scheduler": self.scheduler and self.scheduler.state_dict(),
                "history": self.history.state_dict(),
                "generators": [generator.get_state() for generator in self.generators],
                "torch": torch.get_rng_state(),
                "python": random.getstate(),
                "numpy": np.random.get_state(),
            }
        )


def adam(model) -> Optimizer:
    return torch.optim.Adam(model.parameters(), lr=0.1)


def halved(optimizer) -> LRScheduler:
    return StepLR(optimizer, step_size=2, gamma=0.5)


def new_run(seed=2, *, model=None, optimizer=adam, scheduler=halved, generators=1) -> Run:
    model = model or network()
    made = optimizer(model)
    return Run(
        model,
        made,
        scheduler(made),
        [torch.Generator().manual_seed(seed + index) for index in range(generators)],
        History(),
    )


@pytest.fixture
def run() -> Run:
    """A run in the middle of training."""
    run = new_run(seed=1)
    for epoch in range(3):
        run.step()
        torch.rand(1, generator=run.generators[0])
        run.history.append(1 / (epoch + 1), 2 / (epoch + 1), 0.1)
    return run


@pytest.fixture
def loaded(run, tmp_path) -> Run:
    """Another run, to which the first one was handed over by a checkpoint."""
    run.save(tmp_path / "last.pt")
    loaded = new_run(seed=2)
    loaded.load(tmp_path / "last.pt")
    return loaded


# Weights


@pytest.mark.parametrize("kind", [str, Path])
def test_a_loaded_model_has_the_saved_weights_and_buffers_bit_for_bit(tmp_path, kind):
    model, other = network(), network()
    model(torch.randn(8, 2))  # gives batch norm's buffers values of their own
    path = kind(tmp_path / "model.safetensors")
    save_model(model, path)
    load_model(other, path)
    assert same_weights(other, model)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_weights_keep_their_precision(tmp_path, dtype):
    model, other = nn.Linear(2, 3).to(dtype), nn.Linear(2, 3).to(dtype)
    save_model(model, tmp_path / "model.safetensors")
    load_model(other, tmp_path / "model.safetensors")
    assert same_weights(other, model)


def test_a_transposed_parameter_comes_back_as_it_was(tmp_path):
    model, other = nn.Linear(2, 3), nn.Linear(2, 3)
    model.weight = nn.Parameter(torch.randn(2, 3).T)
    save_model(model, tmp_path / "model.safetensors")
    load_model(other, tmp_path / "model.safetensors")
    assert same_weights(other, model)


def test_a_buffer_of_any_type_and_shape_comes_back(tmp_path):
    model, other = nn.Module(), nn.Module()
    for part, fill in ((model, 1), (other, 0)):
        part.register_buffer("flags", torch.full((3,), fill, dtype=torch.bool))
        part.register_buffer("count", torch.full((), fill))
        part.register_buffer("nothing", torch.full((0, 2), float(fill)))
    save_model(model, tmp_path / "model.safetensors")
    load_model(other, tmp_path / "model.safetensors")
    assert same_weights(other, model)


def tied_model() -> nn.Module:
    """Has one parameter under two names."""
    model = nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2)])
    model[1].weight = model[0].weight
    return model


def test_tied_weights_come_back_under_both_names(tmp_path):
    model, untied = tied_model(), nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2)])
    save_model(model, tmp_path / "model.safetensors")
    load_model(untied, tmp_path / "model.safetensors")
    assert same_weights(untied, model)


def test_tied_weights_are_still_tied_after_loading(tmp_path):
    model = tied_model()
    save_model(tied_model(), tmp_path / "model.safetensors")
    load_model(model, tmp_path / "model.safetensors")
    assert model[1].weight is model[0].weight


def test_a_buffer_that_is_a_part_of_a_parameter_comes_back(tmp_path):
    model, other = nn.Linear(2, 3), nn.Linear(2, 3)
    for part in (model, other):
        part.register_buffer("row", part.weight.data[1])
    save_model(model, tmp_path / "model.safetensors")
    load_model(other, tmp_path / "model.safetensors")
    assert same_weights(other, model)


def test_a_model_file_holds_the_names_and_values_of_the_state_and_nothing_else(tmp_path):
    model = LinearRegression()
    save_model(model, tmp_path / "model.safetensors")
    stored = safetensors.torch.load_file(tmp_path / "model.safetensors")
    assert stored == {"weight": model.weight, "bias": model.bias}


def test_weights_are_loaded_in_place_so_that_an_optimizer_keeps_its_parameters(tmp_path):
    model = LinearRegression()
    before = list(model.parameters())
    save_model(LinearRegression(), tmp_path / "model.safetensors")
    load_model(model, tmp_path / "model.safetensors")
    assert all(after is earlier for after, earlier in zip(model.parameters(), before, strict=True))


def test_saving_changes_nothing_in_the_model(tmp_path):
    model = network()
    before = copy_of(model)
    save_model(model, tmp_path / "model.safetensors")
    assert same_weights(model, before)
    assert model.training


def test_saving_again_replaces_the_file(tmp_path):
    first, second, other = network(), network(), network()
    save_model(first, tmp_path / "model.safetensors")
    save_model(second, tmp_path / "model.safetensors")
    load_model(other, tmp_path / "model.safetensors")
    assert same_weights(other, second)


@pytest.mark.parametrize(
    ("model", "difference"),
    [
        (
            network(outputs=2),
            "3.weight is float32 (3, 4) in the file and float32 (2, 4) in the model; "
            "3.bias is float32 (3,) in the file and float32 (2,) in the model",
        ),
        (
            network().append(nn.PReLU()),
            "4.weight is missing in the file and float32 (1,) in the model",
        ),
        (network()[:3], "3.bias is float32 (3,) in the file and missing in the model; 3.weight is"),
        (
            network()[:3].append(nn.Linear(4, 3).double()),
            "3.weight is float32 (3, 4) in the file and float64 (3, 4) in the model; ",
        ),
    ],
    ids=["shapes", "a missing name", "an additional name", "types"],
)
def test_weights_of_another_model_are_refused_with_what_differs(tmp_path, model, difference):
    path = tmp_path / "model.safetensors"
    save_model(network(), path)
    with pytest.raises(ValueError, match=re.escape(f"{path} is of another model: {difference}")):
        load_model(model, path)


def test_no_more_than_three_differences_are_listed(tmp_path):
    save_model(network(), tmp_path / "model.safetensors")
    with pytest.raises(ValueError, match=r"is of another model: ([^;]+; ){2}[^;]+, and 6 more$"):
        load_model(nn.ReLU(), tmp_path / "model.safetensors")


def test_a_model_that_is_refused_other_weights_keeps_all_of_its_own(tmp_path):
    model = network()
    before = copy_of(model)
    save_model(network(outputs=2), tmp_path / "model.safetensors")
    with pytest.raises(ValueError, match="is of another model"):
        load_model(model, tmp_path / "model.safetensors")
    assert same_weights(model, before)


# Checkpoints


def test_a_checkpoint_restores_weights_and_buffers_bit_for_bit(run, loaded):
    assert same_weights(loaded.model, run.model)


def test_a_checkpoint_restores_the_optimizer_so_that_the_next_step_is_the_same(run, loaded):
    run.step()
    loaded.step()
    assert same_weights(loaded.model, run.model)


def test_a_checkpoint_restores_the_history(run, loaded):
    assert loaded.history == run.history


def test_a_checkpoint_restores_the_learning_rate(run, loaded):
    assert loaded.optimizer.param_groups[0]["lr"] == run.optimizer.param_groups[0]["lr"] == 0.05


def test_a_checkpoint_restores_the_scheduler_in_the_middle_of_its_period(run, loaded):
    loaded.step()  # the fourth, at which StepLR(step_size=2) halves the rate again
    assert loaded.scheduler.get_last_lr() == [0.025]


def test_a_checkpoint_restores_the_generator(run, loaded):
    expected = torch.rand(4, generator=run.generators[0])
    assert torch.equal(torch.rand(4, generator=loaded.generators[0]), expected)


def test_a_checkpoint_restores_every_generator_of_several(run, tmp_path):
    run.generators.append(torch.Generator().manual_seed(7))
    run.save(tmp_path / "last.pt")
    expected = [torch.rand(4, generator=generator).tolist() for generator in run.generators]
    other = new_run(generators=2)
    other.load(tmp_path / "last.pt")
    found = [torch.rand(4, generator=generator).tolist() for generator in other.generators]
    assert found == expected


@pytest.mark.parametrize(
    "draw",
    [lambda: torch.rand(4).tolist(), random.random, np.random.random],
    ids=["PyTorch", "Python", "NumPy"],
)
def test_a_checkpoint_restores_the_global_random_states(run, tmp_path, draw):
    run.save(tmp_path / "last.pt")
    expected = draw()
    new_run().load(tmp_path / "last.pt")
    assert draw() == expected


def test_a_checkpoint_keeps_the_random_states_whatever_the_default_device(run, tmp_path):
    with torch.device("meta"):
        run.save(tmp_path / "last.pt")
    expected = random.random()
    new_run().load(tmp_path / "last.pt")
    assert random.random() == expected


@pytest.mark.filterwarnings("ignore:get_state and legacy")
def test_a_checkpoint_restores_another_generator_of_numpy(run, tmp_path):
    before = np.random.get_bit_generator()
    np.random.set_bit_generator(np.random.PCG64(3))
    try:
        run.save(tmp_path / "last.pt")
        expected = np.random.random()
        new_run().load(tmp_path / "last.pt")
        assert np.random.random() == expected
    finally:
        np.random.set_bit_generator(before)


def test_a_checkpoint_needs_neither_scheduler_nor_generator(run, tmp_path):
    other = new_run(seed=2)
    save_checkpoint(tmp_path / "last.pt", run.model, run.optimizer, run.history)
    load_checkpoint(tmp_path / "last.pt", other.model, other.optimizer, other.history)
    assert same_weights(other.model, run.model)


def test_the_path_of_a_checkpoint_may_be_a_string(run, tmp_path):
    other = new_run(seed=2)
    run.save(str(tmp_path / "last.pt"))
    other.load(str(tmp_path / "last.pt"))
    assert same_weights(other.model, run.model)


def test_saving_a_checkpoint_changes_nothing(run, tmp_path):
    before = run.everything()
    run.save(tmp_path / "last.pt")
    assert run.everything() == before


def test_tied_weights_are_still_tied_after_a_checkpoint(tmp_path):
    model, other = tied_model(), tied_model()
    save_checkpoint(tmp_path / "last.pt", model, adam(model), History())
    load_checkpoint(tmp_path / "last.pt", other, adam(other), History())
    assert other[1].weight is other[0].weight
    assert same_weights(other, model)


def test_a_checkpoint_says_its_format_and_the_version_that_wrote_it(run, tmp_path):
    run.save(tmp_path / "last.pt")
    stored = torch.load(tmp_path / "last.pt", weights_only=True)
    assert (stored["format"], stored["torch"]) == (3, torch.__version__)


def test_a_checkpoint_holds_the_names_shapes_and_values_of_the_model(run, tmp_path):
    run.save(tmp_path / "last.pt")
    stored = torch.load(tmp_path / "last.pt", weights_only=True)
    assert frozen(stored["model"]) == frozen(run.model.state_dict())


def test_a_checkpoint_says_what_the_optimizer_trains(run, tmp_path):
    run.save(tmp_path / "last.pt")
    stored = torch.load(tmp_path / "last.pt", weights_only=True)
    assert stored["kinds"] == {
        "optimizer": "Adam",
        "scheduler": "StepLR",
        "parameters": [["0.weight", "0.bias", "1.weight", "1.bias", "3.weight", "3.bias"]],
    }


# Checkpoints that are refused


def edited(change):
    """Have a checkpoint changed after it was saved, and load it into a run of the same kind."""

    def edit(path):
        checkpoint = torch.load(path, weights_only=True)
        change(checkpoint)
        torch.save(checkpoint, path)
        return new_run()

    return edit


def of_another_kind(**options):
    """Load a checkpoint into a run of another kind."""
    return lambda path: new_run(**options)


def in_reverse(model) -> Optimizer:
    return torch.optim.Adam(list(model.parameters())[::-1], lr=0.1)


def in_two_groups(model) -> Optimizer:
    parameters = list(model.parameters())
    return torch.optim.Adam([{"params": parameters[:2]}, {"params": parameters[2:]}], lr=0.1)


def without_bias(model) -> Optimizer:
    return torch.optim.Adam(list(model.parameters())[:-1], lr=0.1)


REFUSED = {
    "other shapes": (
        of_another_kind(model=network(outputs=2)),
        r"3\.weight is float32 \(3, 4\) in the file and float32 \(2, 4\) in the model",
    ),
    "other names": (
        of_another_kind(model=network().append(nn.PReLU())),
        r"4\.weight is missing in the file and float32 \(1,\) in the model",
    ),
    "other types": (
        of_another_kind(model=network().double()),
        r"0\.weight is float32 \(4, 2\) in the file and float64 \(4, 2\) in the model",
    ),
    "another optimizer": (
        of_another_kind(optimizer=lambda model: torch.optim.SGD(model.parameters(), lr=0.1)),
        "optimizer Adam.*SGD",
    ),
    "another scheduler": (
        of_another_kind(scheduler=lambda optimizer: ExponentialLR(optimizer, 0.5)),
        "scheduler StepLR.*ExponentialLR",
    ),
    "no scheduler": (of_another_kind(scheduler=lambda optimizer: None), "scheduler StepLR.*None"),
    "a scheduler too many": (
        edited(lambda state: state.update(scheduler=None) or state["kinds"].update(scheduler=None)),
        "scheduler None.*StepLR",
    ),
    "another order of parameters": (
        of_another_kind(optimizer=in_reverse),
        "parameters in another order",
    ),
    "another grouping of parameters": (of_another_kind(optimizer=in_two_groups), "parameters"),
    "fewer parameters": (of_another_kind(optimizer=without_bias), "parameters"),
    "no generator": (of_another_kind(generators=0), "1 generators, here are 0"),
    "a generator too many": (of_another_kind(generators=2), "1 generators, here are 2"),
    "another kind of device": (
        edited(lambda state: state["random"].update(device="cuda")),
        "on cuda.* on cpu",
    ),
    "a newer format": (edited(lambda state: state.update(format=4)), "format 4.*reads format 3"),
    "an older format": (edited(lambda state: state.update(format=2)), "format 2.*reads format 3"),
} | {
    f"a checkpoint without {part}": (edited(lambda state, part=part: state.pop(part)), str)
    for part in ("kinds", "model", "optimizer", "scheduler", "history", "random")
}


@pytest.mark.parametrize(("change", "sentence"), REFUSED.values(), ids=REFUSED)
def test_a_checkpoint_that_does_not_fit_is_refused_with_what_differs(
    run, tmp_path, change, sentence
):
    path = tmp_path / "last.pt"
    run.save(path)
    other = change(path)
    with pytest.raises(ValueError, match=None if sentence is str else sentence):
        other.load(path)


@pytest.mark.parametrize(("change", "sentence"), REFUSED.values(), ids=REFUSED)
def test_a_checkpoint_that_does_not_fit_changes_nothing(run, tmp_path, change, sentence):
    path = tmp_path / "last.pt"
    run.save(path)
    other = change(path)
    before = other.everything()
    with contextlib.suppress(Exception):  # which of them it is, the test above says
        other.load(path)
    assert other.everything() == before


@pytest.mark.parametrize(
    "content",
    [LinearRegression().state_dict(), torch.ones(2), [1, 2]],
    ids=["weights", "a tensor", "a list"],
)
def test_a_pt_file_that_is_no_checkpoint_is_refused(run, tmp_path, content):
    torch.save(content, tmp_path / "other.pt")
    with pytest.raises(ValueError, match=r"other\.pt (is no checkpoint|has checkpoint format)"):
        run.load(tmp_path / "other.pt")


@pytest.mark.parametrize(
    "load",
    [lambda path: load_model(network(), path), lambda path: new_run().load(path)],
    ids=["weights", "checkpoint"],
)
def test_loading_a_file_that_is_not_there_raises_file_not_found(tmp_path, load):
    with pytest.raises(FileNotFoundError, match="missing"):
        load(tmp_path / "missing")


# Saves that fail


class Unreadable:
    """A history whose state loading would refuse."""

    def state_dict(self):
        return {"train_loss": [np.float64(1.0)]}


class Unserialisable:
    def state_dict(self):
        return {"train_loss": lambda: None}


class Interrupting:
    """Does something in the middle of being written, and is interrupted, as if by Ctrl-C."""

    def __init__(self, then=lambda: None):
        self.then = then

    def state_dict(self):
        return {"train_loss": self}

    def __reduce__(self):
        self.then()
        raise KeyboardInterrupt


@contextlib.contextmanager
def room_for(size):
    """No file may become larger than this, as on a disk that is full."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)


def save_with_history(history):
    def save(path):
        run = new_run()
        run.history = history
        run.save(path)

    return save


def save_large_weights(path):  # 40 kB
    save_model(nn.Linear(100, 100), path)


def save_large_checkpoint(path):  # 55 kB
    model = nn.Linear(100, 100)
    save_checkpoint(path, model, adam(model), History())


def without_room(save):
    def save_without_room(path):
        with room_for(20_000):
            save(path)

    return save_without_room


FAILING_SAVES = pytest.mark.parametrize(
    ("save", "error"),
    [
        (save_with_history(Unreadable()), TypeError),
        (save_with_history(Unserialisable()), (TypeError, pickle.PicklingError, AttributeError)),
        (save_with_history(Interrupting()), KeyboardInterrupt),
        (without_room(save_large_checkpoint), OSError),
        (without_room(save_large_weights), OSError),
    ],
    ids=["unreadable", "unserialisable", "interrupted", "checkpoint, full", "weights, full"],
)
BOTH_LARGE_SAVES = pytest.mark.parametrize(
    "save", [save_large_weights, save_large_checkpoint], ids=["weights", "checkpoint"]
)
BOTH_SAVES = pytest.mark.parametrize(
    "save",
    [lambda path: save_model(network(), path), lambda path: new_run().save(path)],
    ids=["weights", "checkpoint"],
)
FOLDERS = pytest.mark.parametrize("folder", ["runs", "Läufe"])  # torch.save writes them differently


def said(error) -> str:
    return "\n".join([str(error), *getattr(error, "__notes__", [])])


@FOLDERS
@FAILING_SAVES
def test_a_failed_save_leaves_the_previous_file_as_it_was_and_nothing_else(
    tmp_path, folder, save, error
):
    path = tmp_path / folder / "file"
    path.parent.mkdir()
    path.write_bytes(b"previous")
    with pytest.raises(error):
        save(path)
    assert list(path.parent.iterdir()) == [path]
    assert path.read_bytes() == b"previous"


@FAILING_SAVES
def test_a_failed_first_save_leaves_nothing(tmp_path, save, error):
    with pytest.raises(error):
        save(tmp_path / "file")
    assert list(tmp_path.iterdir()) == []


@FAILING_SAVES
def test_a_failed_save_says_which_file_was_not_saved(tmp_path, save, error):
    with pytest.raises(error) as raised:
        save(tmp_path / "file")
    assert f"{tmp_path / 'file'} was not saved" in said(raised.value)


@FOLDERS
@BOTH_LARGE_SAVES
def test_a_save_without_room_fails_wherever_the_room_ends(tmp_path, folder, save):
    path = tmp_path / folder / "file"
    path.parent.mkdir()
    save(path)
    before = path.read_bytes()
    for room in (0, 1, 1000, len(before) // 2, len(before) - 1000, len(before) - 1):
        with room_for(room), pytest.raises(OSError):
            save(path)
    assert list(path.parent.iterdir()) == [path]
    assert path.read_bytes() == before


@BOTH_LARGE_SAVES
def test_a_save_without_room_can_be_repeated_with_room(tmp_path, save):
    with room_for(20_000), pytest.raises(OSError):
        save(tmp_path / "file")
    save(tmp_path / "file")
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


def test_a_state_that_loading_would_refuse_is_refused_by_name(tmp_path):
    with pytest.raises(TypeError, match=r"numpy\.\S*scalar"):
        save_with_history(Unreadable())(tmp_path / "file")


@BOTH_SAVES
def test_a_save_onto_a_folder_fails_and_leaves_only_the_folder(tmp_path, save):
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError, match="folder"):
        save(tmp_path / "folder")
    assert list(tmp_path.rglob("*")) == [tmp_path / "folder"]


@BOTH_SAVES
def test_a_save_into_a_folder_that_is_missing_fails_and_does_not_make_it(tmp_path, save):
    with pytest.raises(FileNotFoundError, match="missing"):
        save(tmp_path / "missing" / "file")
    assert list(tmp_path.iterdir()) == []


@contextlib.contextmanager
def as_an_ordinary_user():
    """Without the rights of root, which no folder can refuse."""
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


@pytest.mark.skipif(os.name != "posix", reason="the rights of a folder are POSIX's")
@BOTH_SAVES
def test_a_save_into_a_folder_without_the_right_to_write_leaves_it_as_it_was(tmp_path, save):
    path = Path("file")  # from within, for the way to it may be closed to an ordinary user
    with contextlib.chdir(tmp_path):
        save(path)
        before = path.read_bytes()
        tmp_path.chmod(0o555)
        try:
            with as_an_ordinary_user(), pytest.raises(PermissionError):
                save(path)
        finally:
            tmp_path.chmod(0o755)
        assert list(Path().iterdir()) == [path]
        assert path.read_bytes() == before


@BOTH_SAVES
def test_a_save_replaces_the_previous_file_and_does_not_write_into_it(tmp_path, save):
    path, second_name = tmp_path / "file", tmp_path / "second name"
    path.write_bytes(b"previous")
    second_name.hardlink_to(path)
    save(path)
    assert second_name.read_bytes() == b"previous"
    assert path.read_bytes() != b"previous"


@BOTH_SAVES
def test_a_save_leaves_no_temporary_file(tmp_path, save):
    save(tmp_path / "file")
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX's")
@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
@BOTH_SAVES
def test_a_file_may_be_read_by_those_whom_the_umask_allows(tmp_path, save, umask, mode):
    before = os.umask(umask)
    try:
        save(tmp_path / "file")
    finally:
        os.umask(before)
    assert (tmp_path / "file").stat().st_mode & 0o777 == mode


@pytest.mark.skipif(os.name != "posix", reason="folders are flushed on POSIX only")
@BOTH_SAVES
def test_contents_are_on_the_disk_before_the_name_stands_for_them_and_then_the_name_is(
    tmp_path, save, monkeypatch
):
    path, flushed = tmp_path / "file", []
    path.write_bytes(b"previous")
    flush = os.fsync

    def watched(descriptor):
        status = os.fstat(descriptor)
        flushed.append((status.st_ino, status.st_size, path.stat().st_ino))
        flush(descriptor)

    previous = path.stat().st_ino
    monkeypatch.setattr(os, "fsync", watched)
    save(path)
    now, folder = path.stat(), tmp_path.stat()
    contents, name = flushed
    assert contents == (now.st_ino, now.st_size, previous)
    assert (name[0], name[2]) == (folder.st_ino, now.st_ino)


def leave_what_a_kill_would(path):
    """Save, and keep the folder as it is in the middle of that."""
    photograph = path.with_name("photograph")
    folders = []

    def take_photograph():
        folders.extend(folder for folder in path.parent.iterdir() if folder.name != "photograph")
        shutil.copytree(path.parent, photograph, ignore=lambda *_: ["photograph"])

    with pytest.raises(KeyboardInterrupt):
        save_with_history(Interrupting(take_photograph))(path)
    shutil.copytree(photograph, path.parent, dirs_exist_ok=True)
    shutil.rmtree(photograph)
    assert folders
    return folders


@pytest.mark.parametrize("name", ["last.pt", "run[1]*.pt"])
def test_what_a_killed_save_left_is_removed_by_the_next_save_of_the_file(tmp_path, name):
    leave_what_a_kill_would(tmp_path / name)
    save_model(network(), tmp_path / name)
    assert list(tmp_path.iterdir()) == [tmp_path / name]


@pytest.mark.parametrize("name", ["best.pt", "last", "last.pt.abcdefgh", "*"])
def test_what_a_killed_save_left_is_not_removed_by_a_save_of_another_file(tmp_path, name):
    left = leave_what_a_kill_would(tmp_path / "last.pt")
    save_model(network(), tmp_path / name)
    assert sorted(tmp_path.iterdir()) == sorted([*left, tmp_path / name])


# Saves that are killed or interrupted


@pytest.fixture(scope="module", params=["weights", "checkpoint"])
def kills(request):
    """What the file was after each of ten kills."""
    if not hasattr(os, "fork"):
        pytest.skip("needs fork")
    spec = importlib.util.spec_from_file_location("killed", KILLED)
    killed = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(killed)
    return killed.killed_saves(request.param, 10)


def test_some_kills_come_in_the_middle_of_a_save(kills):
    assert kills.interrupted > 0


def test_a_killed_save_leaves_the_last_state_that_was_saved_or_the_one_that_was_being_saved(kills):
    assert kills.old + kills.new == kills.kills == 10


def test_a_killed_save_leaves_no_more_than_one_temporary_folder(kills):
    assert kills.strays == 1


def test_a_save_after_kills_leaves_no_temporary_folder(kills):
    assert kills.strays_at_end == 0


def interrupt_saves(kind, folder, seconds) -> list[tuple[str, str, bool, int]]:
    """Save one state after another, each interrupted at a random moment; what came of each.

    That is what was raised, whether the file was the old state or the new, whether it was said not
    to have been saved, and how many other files lay beside it.
    """
    model, other = (nn.ModuleList(nn.Linear(100, 100) for _ in range(4)) for _ in range(2))
    optimizer, moments, outcomes = adam(model), random.Random(1), []
    path, previous, number = folder / "file", 0.0, 0.0

    def save(number):
        for parameter in model.parameters():
            parameter.data.fill_(number)
        signal.setitimer(signal.ITIMER_REAL, moments.uniform(1e-5, duration))
        if kind == "weights":
            save_model(model, path)
        else:
            save_checkpoint(path, model, optimizer, History())

    def found():
        if kind == "weights":
            load_model(other, path)
        else:
            load_checkpoint(path, other, adam(other), History())
        ends = {end.item() for tensor in other.parameters() for end in tensor.aminmax()}
        return ends.pop() if len(ends) == 1 else None

    signal.signal(signal.SIGALRM, signal.default_int_handler)  # as Ctrl-C, at a chosen moment
    folder.mkdir()
    duration = 1000.0
    save(previous)
    started = time.perf_counter()
    save(previous)
    duration = 1.2 * (time.perf_counter() - started)
    while time.perf_counter() < started + seconds:
        number += 1
        raised = None
        try:
            try:
                save(number)
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
        except BaseException as error:
            raised = error
        state = {previous: "old", number: "new"}.get(found(), "neither")
        previous = number if state == "new" else previous
        if raised is not None:
            beside = len(list(folder.iterdir())) - 1
            name = type(raised).__name__
            outcomes.append((name, state, "was not saved" in said(raised), beside))
    return outcomes


CASES = [(kind, folder) for kind in ("weights", "checkpoint") for folder in ("runs", "Läufe")]


@pytest.fixture(scope="module")
def all_interruptions(tmp_path_factory):
    if not hasattr(signal, "setitimer"):
        pytest.skip("needs setitimer")
    source = str(Path(torch_workflow.__file__).parents[1])
    process = subprocess.run(
        [sys.executable, __file__, tmp_path_factory.mktemp("interrupted")],
        env=os.environ | {"PYTHONPATH": source},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout)


@pytest.fixture(params=range(len(CASES)), ids=[", ".join(case) for case in CASES])
def interruptions(request, all_interruptions):
    return [tuple(outcome) for outcome in all_interruptions[request.param]]


def counted(outcomes, index) -> dict[Any, int]:
    return dict(collections.Counter(outcome[index] for outcome in outcomes))


def test_an_interrupted_save_raises_keyboard_interrupt_and_nothing_else(interruptions):
    assert counted(interruptions, 0) == {"KeyboardInterrupt": len(interruptions)}


def test_an_interrupted_save_leaves_the_old_state_or_the_new(interruptions):
    assert counted(interruptions, 1).keys() == {"old", "new"}


def test_an_interrupted_save_leaves_nothing_beside_the_file(interruptions):
    assert counted(interruptions, 3) == {0: len(interruptions)}


def test_a_save_is_not_said_to_have_failed_where_the_file_is_the_new_one(interruptions):
    assert counted(interruptions, slice(1, 3)).get(("new", True), 0) == 0


if __name__ == "__main__":
    torch.set_num_threads(1)
    parent = Path(sys.argv[1])
    print(
        json.dumps(
            [
                interrupt_saves(kind, parent / f"{kind} {folder}", seconds=1.0)
                for kind, folder in CASES
            ]
        )
    )
