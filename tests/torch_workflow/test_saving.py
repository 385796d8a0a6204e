"""Saved weights and checkpoints: what comes back, what is refused, what a failed save leaves."""

import contextlib
import pickle
from dataclasses import dataclass
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from torch_workflow import (
    History,
    LinearRegression,
    load_checkpoint,
    load_model,
    save_checkpoint,
    save_model,
)


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


@dataclass
class Run:
    """All that a checkpoint keeps."""

    model: nn.Module
    optimizer: Optimizer
    scheduler: LRScheduler
    generator: torch.Generator
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
            generator=self.generator,
        )

    def load(self, path):
        load_checkpoint(
            path,
            self.model,
            self.optimizer,
            self.history,
            scheduler=self.scheduler,
            generator=self.generator,
        )


def new_run(seed) -> Run:
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    return Run(
        model,
        optimizer,
        torch.optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.5),
        torch.Generator().manual_seed(seed),
        History(),
    )


@pytest.fixture
def run() -> Run:
    """A run in the middle of training."""
    run = new_run(seed=1)
    for epoch in range(3):
        run.step()
        torch.rand(1, generator=run.generator)
        run.history.train_loss.append(1 / (epoch + 1))
        run.history.validation_loss.append(2 / (epoch + 1))
        run.history.learning_rate.append(0.1)
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


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_weights_keep_their_precision(tmp_path, dtype):
    model, other = network().to(dtype), network().to(dtype)
    save_model(model, tmp_path / "model.safetensors")
    load_model(other, tmp_path / "model.safetensors")
    assert same_weights(other, model)


def test_a_transposed_parameter_comes_back_as_it_was(tmp_path):
    model, other = nn.Linear(2, 3), nn.Linear(2, 3)
    model.weight = nn.Parameter(torch.randn(2, 3).T)
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


def test_weights_of_another_shape_are_refused(tmp_path):
    save_model(network(outputs=3), tmp_path / "model.safetensors")
    with pytest.raises(RuntimeError, match=r"size mismatch for 3\.weight"):
        load_model(network(outputs=2), tmp_path / "model.safetensors")


def test_weights_with_other_names_are_refused(tmp_path):
    save_model(nn.Sequential(LinearRegression()), tmp_path / "model.safetensors")
    with pytest.raises(RuntimeError, match=r'Missing key\(s\) in state_dict: "weight", "bias"'):
        load_model(LinearRegression(), tmp_path / "model.safetensors")


def test_loading_weights_that_are_not_there_raises_file_not_found(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"missing\.safetensors"):
        load_model(LinearRegression(), tmp_path / "missing.safetensors")


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
    expected = torch.rand(4, generator=run.generator)
    assert torch.equal(torch.rand(4, generator=loaded.generator), expected)


def test_a_checkpoint_restores_the_global_random_state(run, tmp_path):
    run.save(tmp_path / "last.pt")
    expected = torch.rand(4)
    new_run(seed=2).load(tmp_path / "last.pt")
    assert torch.equal(torch.rand(4), expected)


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


def test_saving_a_checkpoint_draws_no_random_numbers(run, tmp_path):
    before = torch.get_rng_state()
    run.save(tmp_path / "last.pt")
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("part", ["scheduler", "generator"])
def test_a_checkpoint_made_with_a_scheduler_or_generator_needs_one(run, tmp_path, part):
    run.save(tmp_path / "last.pt")
    setattr(run, part, None)
    with pytest.raises(ValueError) as raised:
        run.load(tmp_path / "last.pt")
    assert str(raised.value) == (
        f"{tmp_path / 'last.pt'} holds the state of a {part}: pass {part}= to restore it"
    )


@pytest.mark.parametrize("part", ["scheduler", "generator"])
def test_a_checkpoint_made_without_a_scheduler_or_generator_takes_none(run, tmp_path, part):
    kept = getattr(run, part)
    setattr(run, part, None)
    run.save(tmp_path / "last.pt")
    setattr(run, part, kept)
    with pytest.raises(ValueError) as raised:
        run.load(tmp_path / "last.pt")
    assert str(raised.value) == (
        f"{tmp_path / 'last.pt'} was saved without a {part}: there is none to restore"
    )


def test_a_checkpoint_that_lacks_its_scheduler_leaves_the_model_alone(run, tmp_path):
    run.save(tmp_path / "last.pt")
    other = new_run(seed=2)
    before, other.scheduler = copy_of(other.model), None
    with pytest.raises(ValueError, match="holds the state of a scheduler"):
        other.load(tmp_path / "last.pt")
    assert same_weights(other.model, before)


def test_a_checkpoint_of_another_format_is_refused(run, tmp_path):
    path = tmp_path / "last.pt"
    run.save(path)
    torch.save(torch.load(path, weights_only=True) | {"format": 99}, path)
    with pytest.raises(ValueError) as raised:
        run.load(path)
    assert str(raised.value) == (
        f"{path} has checkpoint format 99, this version of torch_workflow reads format 1"
    )


@pytest.mark.parametrize(
    "content",
    [LinearRegression().state_dict(), torch.ones(2), [1, 2]],
    ids=["weights", "a tensor", "a list"],
)
def test_a_pt_file_that_is_no_checkpoint_is_refused_as_another_format(run, tmp_path, content):
    torch.save(content, tmp_path / "other.pt")
    with pytest.raises(ValueError, match="has checkpoint format None"):
        run.load(tmp_path / "other.pt")


def test_a_checkpoint_of_another_shape_is_refused(run, tmp_path):
    run.save(tmp_path / "last.pt")
    other = new_run(seed=2)
    other.model = network(outputs=2)
    with pytest.raises(RuntimeError, match=r"size mismatch for 3\.weight"):
        other.load(tmp_path / "last.pt")


def test_loading_a_checkpoint_that_is_not_there_raises_file_not_found(run, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"missing\.pt"):
        run.load(tmp_path / "missing.pt")


class Hostile:
    """Creates a file as soon as it is unpickled."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return Path.touch, (self.trace,)


@pytest.mark.parametrize("in_torch_format", [True, False])
def test_a_hostile_pickle_is_refused_and_does_not_run(run, tmp_path, in_torch_format):
    trace, path = tmp_path / "it ran", tmp_path / "last.pt"
    checkpoint = {"format": 1, "model": Hostile(trace)}
    if in_torch_format:
        torch.save(checkpoint, path)
    else:
        path.write_bytes(pickle.dumps(checkpoint, protocol=2))
    with pytest.raises(pickle.UnpicklingError):
        run.load(path)
    assert not trace.exists()


def test_the_hostile_pickle_runs_where_nothing_refuses_it(tmp_path):
    pickle.loads(pickle.dumps(Hostile(tmp_path / "it ran")))
    assert (tmp_path / "it ran").exists()


# Saves that fail


class Unserialisable:
    def state_dict(self):
        return {"train_loss": lambda: None}


class Interrupting:
    """Is interrupted in the middle of being written, as if by Ctrl-C."""

    def state_dict(self):
        return {"train_loss": self}

    def __reduce__(self):
        raise KeyboardInterrupt


@contextlib.contextmanager
def room_for(size):
    """No file may become larger than this, as on a disk that is full."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def save_a_history_that_cannot_be_serialised(path):
    run = new_run(seed=1)
    run.history = Unserialisable()
    run.save(path)


def save_a_checkpoint_that_is_interrupted(path):
    run = new_run(seed=1)
    run.history = Interrupting()
    run.save(path)


def save_a_checkpoint_without_room(path):
    run = new_run(seed=1)
    run.model = nn.Linear(100, 100)  # 40 kB
    with room_for(8192):
        run.save(path)


def save_weights_that_safetensors_refuses(path):
    model = nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2)])
    model[1].weight = model[0].weight
    save_model(model, path)


def save_weights_without_room(path):
    with room_for(8192):
        save_model(nn.Linear(100, 100), path)


FAILING_SAVES = pytest.mark.parametrize(
    ("save", "error"),
    [
        (save_a_history_that_cannot_be_serialised, (pickle.PicklingError, AttributeError)),
        (save_a_checkpoint_that_is_interrupted, KeyboardInterrupt),
        (save_a_checkpoint_without_room, (OSError, RuntimeError)),
        (save_weights_that_safetensors_refuses, RuntimeError),
        (save_weights_without_room, OSError),
    ],
)


BOTH_SAVES = pytest.mark.parametrize(
    "save",
    [lambda path: save_model(network(), path), lambda path: new_run(seed=1).save(path)],
    ids=["weights", "checkpoint"],
)


@FAILING_SAVES
def test_a_failed_save_leaves_the_previous_file_as_it_was_and_nothing_else(tmp_path, save, error):
    path = tmp_path / "file"
    path.write_bytes(b"previous")
    with pytest.raises(error):
        save(path)
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == b"previous"


@FAILING_SAVES
def test_a_failed_first_save_leaves_nothing(tmp_path, save, error):
    with pytest.raises(error):
        save(tmp_path / "file")
    assert list(tmp_path.iterdir()) == []


@BOTH_SAVES
def test_a_save_onto_a_folder_fails_and_leaves_only_the_folder(tmp_path, save):
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError):
        save(tmp_path / "folder")
    assert list(tmp_path.rglob("*")) == [tmp_path / "folder"]


@BOTH_SAVES
def test_a_save_replaces_the_previous_file_and_does_not_write_into_it(tmp_path, save):
    path, second_name = tmp_path / "file", tmp_path / "second name"
    path.write_bytes(b"previous")
    second_name.hardlink_to(path)
    save(path)
    assert second_name.read_bytes() == b"previous"


@BOTH_SAVES
def test_a_save_leaves_no_temporary_file(tmp_path, save):
    save(tmp_path / "file")
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]
