"""A run that is stopped and resumed equals the uninterrupted one, down to the last bit."""

import contextlib
import json
import os
import random
import subprocess
import sys
from pathlib import Path

import matplotlib
import numpy as np
import pytest
import torch
from torch import nn
from torch.optim import lr_scheduler as schedulers
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    Dataset,
    RandomSampler,
    TensorDataset,
    WeightedRandomSampler,
)

import torch_workflow
from torch_workflow import (
    History,
    LinearRegression,
    batches,
    evaluate,
    fit,
    plot_data,
    plot_losses,
    predict,
    straight_line,
    train_epoch,
)

matplotlib.use("Agg")

LINE = straight_line(20)
ROWS = TensorDataset(*LINE)
OTHER_LINE = straight_line(10, weight=0.5)
COMMON = torch.Generator()
FORK = "fork" if hasattr(os, "fork") else None


def generator(seed) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """So small a model is no work for several, which only wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


# What a run may be made of


def loader(rows=ROWS, **options):
    return DataLoader(rows, batch_size=6, **options)


class Drawing(Dataset):
    """Its features are noisy, with new noise each time."""

    def __init__(self, *draws):
        self.draws = draws

    def __len__(self):
        return 20

    def __getitem__(self, index):
        feature, label = ROWS[index]
        return feature + sum(draw() for draw in self.draws), label


def draw_from_pytorch():
    return torch.rand(1).item()


DRAWS = (random.random, np.random.random, draw_from_pytorch)
EVERY_DRAW = Drawing(*DRAWS)


class RunningMean(nn.Module):
    """Subtracts a mean that it updates while it trains, and keeps in a buffer."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.zeros(1))

    def forward(self, x):
        if self.training:
            self.mean.mul_(0.9).add_(0.1 * x.mean())
        return x - self.mean


class ToDouble(nn.Module):
    def forward(self, x):
        return x.double()


def with_dropout():
    return nn.Sequential(nn.Linear(1, 8), nn.Dropout(0.5), nn.Linear(8, 1))


def with_everything():
    return nn.Sequential(
        RunningMean(), nn.Linear(1, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 1)
    )


def tied():
    model = nn.Sequential(nn.Linear(1, 1), nn.Tanh(), nn.Linear(1, 1), nn.Dropout(0.1))
    model[2].weight = model[0].weight
    return model


def partly_frozen():
    model = with_dropout()
    model[0].requires_grad_(False)
    return model


def using(kind, **options):
    return lambda parameters: kind(parameters, lr=0.02, **options)


ADAM = using(torch.optim.Adam)


def adam_in_groups(parameters):
    first, *others = parameters
    return torch.optim.Adam([{"params": [first], "lr": 0.1}, {"params": others}], lr=0.02)


def warm_up_and_decay(optimizer):
    parts = [schedulers.LinearLR(optimizer, 0.1, total_iters=4), schedulers.StepLR(optimizer, 1)]
    return schedulers.SequentialLR(optimizer, parts, [4])


def line_through_zero():
    model = LinearRegression()
    model.load_state_dict({"weight": torch.zeros(1), "bias": torch.zeros(1)})
    return model


def past_the_best(seed):
    """Validation data that a model on its way to the training data passes by."""
    return [(torch.ones(4, 1), torch.full((4, 1), 0.4))]


CASES = {
    "batches": {},
    "batches, global generator": {"train": lambda seed: batches(*LINE, batch_size=6, shuffle=True)},
    "DataLoader": {"train": lambda seed: loader(shuffle=True, generator=generator(seed))},
    "DataLoader, global generator": {"train": lambda seed: loader(shuffle=True)},
    "RandomSampler": {
        "train": lambda seed: loader(sampler=RandomSampler(ROWS, generator=generator(seed)))
    },
    "RandomSampler in a batch sampler": {
        "train": lambda seed: DataLoader(
            ROWS,
            batch_sampler=BatchSampler(RandomSampler(ROWS, generator=generator(seed)), 6, False),
        )
    },
    "RandomSampler of whole batches": {
        "train": lambda seed: DataLoader(
            ROWS,
            batch_size=None,
            sampler=BatchSampler(RandomSampler(ROWS, generator=generator(seed)), 6, False),
        )
    },
    "WeightedRandomSampler": {
        "train": lambda seed: loader(
            sampler=WeightedRandomSampler(range(1, 21), 15, generator=generator(seed))
        )
    },
    "data that draw from Python": {"train": lambda seed: loader(Drawing(random.random))},
    "data that draw from NumPy": {"train": lambda seed: loader(Drawing(np.random.random))},
    "data that draw from PyTorch": {"train": lambda seed: loader(Drawing(draw_from_pytorch))},
    "workers": {
        "train": lambda seed: loader(
            shuffle=True, generator=generator(seed), num_workers=2, multiprocessing_context=FORK
        )
    },
    "workers that draw": {
        "train": lambda seed: loader(
            EVERY_DRAW, shuffle=True, num_workers=2, multiprocessing_context=FORK
        )
    },
    "validation data in random order": {
        "validation": lambda seed: loader(shuffle=True, generator=generator(seed + 1))
    },
    "one generator for both": {
        "train": lambda seed: loader(shuffle=True, generator=COMMON.manual_seed(seed)),
        "validation": lambda seed: loader(shuffle=True, generator=COMMON),
    },
    "batch norm": {"model": lambda: nn.Sequential(nn.BatchNorm1d(1), nn.Linear(1, 1))},
    "dropout, batch norm and a buffer": {"model": with_everything},
    "double precision": {"model": lambda: nn.Sequential(ToDouble(), with_everything().double())},
    "tied weights": {"model": tied},
    "frozen weights": {"model": partly_frozen},
    "SGD": {"optimizer": using(torch.optim.SGD)},
    "SGD with momentum": {
        "optimizer": using(torch.optim.SGD, momentum=0.9, nesterov=True, weight_decay=0.01)
    },
    "AdamW": {"optimizer": using(torch.optim.AdamW, amsgrad=True)},
    "RMSprop": {"optimizer": using(torch.optim.RMSprop, momentum=0.5, centered=True)},
    "Adagrad": {"optimizer": using(torch.optim.Adagrad, lr_decay=0.1)},
    "NAdam": {"optimizer": using(torch.optim.NAdam)},
    "parameter groups": {"optimizer": adam_in_groups},
    "StepLR": {"scheduler": lambda optimizer: schedulers.StepLR(optimizer, 3, 0.5)},
    "OneCycleLR": {
        "scheduler": lambda optimizer: schedulers.OneCycleLR(optimizer, 0.1, total_steps=10)
    },
    "CosineAnnealingWarmRestarts": {
        "scheduler": lambda optimizer: schedulers.CosineAnnealingWarmRestarts(optimizer, 3)
    },
    "LambdaLR": {
        "scheduler": lambda optimizer: schedulers.LambdaLR(optimizer, lambda epoch: 1 / (1 + epoch))
    },
    "SequentialLR": {"scheduler": warm_up_and_decay},
    "ReduceLROnPlateau": {
        "scheduler": lambda optimizer: schedulers.ReduceLROnPlateau(
            optimizer, patience=1, threshold=0.3
        )
    },
}
PATIENT = {
    "validation": past_the_best,
    "model": line_through_zero,
    "optimizer": lambda parameters: torch.optim.SGD(parameters, lr=0.008),
    "patience": 3,
}
EVERYTHING = {
    "train": lambda seed: loader(EVERY_DRAW, shuffle=True, generator=generator(seed)),
    "validation": lambda seed: loader(shuffle=True, generator=generator(seed + 1)),
    "model": with_everything,
    "scheduler": CASES["ReduceLROnPlateau"]["scheduler"],
}


def mean_squared_error(predictions, labels):
    return nn.functional.mse_loss(predictions, labels.to(predictions.dtype))


def outcome(
    *,
    seed,
    epochs=10,
    train=lambda seed: batches(*LINE, batch_size=6, shuffle=True, generator=generator(seed)),
    validation=lambda seed: batches(*OTHER_LINE),
    model=with_dropout,
    optimizer=ADAM,
    scheduler=lambda optimizer: None,
    train_with=fit,
    **options,
) -> dict:
    """All that a run gave, down to the random numbers that come next.

    The seed decides over all random numbers of a run that starts from nothing. A resumed run has
    them from its checkpoint, so its own seed must not matter.
    """
    torch.manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed)
    network, loaders = model(), {"train": train(seed), "validation": validation(seed)}
    made = optimizer(network.parameters())
    history = train_with(
        network,
        **loaders,
        loss_function=mean_squared_error,
        optimizer=made,
        epochs=epochs,
        scheduler=scheduler(made),
        **options,
    )
    states = made.state_dict()["state"].values()
    drawn = [next(iter(loader))[0].tolist() for loader in loaders.values()]
    return {
        "history": history.state_dict(),
        "weights": {name: value.tolist() for name, value in network.state_dict().items()},
        "optimizer": [
            {name: float(torch.as_tensor(value).sum()) for name, value in state.items()}
            for state in states
        ],
        "next": [*drawn, torch.rand(3).tolist(), random.random(), np.random.random()],
    }


def stopped_and_resumed(folder, *stops, **options) -> dict:
    """Train to each of some epochs in turn, each time in new objects from another seed."""
    for seed, epochs in enumerate(stops, start=1):
        given = outcome(seed=seed, epochs=epochs, checkpoint=folder, resume=seed > 1, **options)
    return given


# A resumed run


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_five_epochs_and_five_resumed_equal_ten_bit_for_bit(tmp_path, case):
    assert stopped_and_resumed(tmp_path, 5, 10, **case) == outcome(seed=1, **case)


@pytest.fixture(scope="module")
def uninterrupted():
    return outcome(seed=1, **EVERYTHING)


@pytest.mark.parametrize("stop", range(1, 10))
def test_a_run_can_be_stopped_after_any_epoch(tmp_path, uninterrupted, stop):
    assert stopped_and_resumed(tmp_path, stop, 10, **EVERYTHING) == uninterrupted


def test_a_run_can_be_stopped_after_every_epoch(tmp_path, uninterrupted):
    assert stopped_and_resumed(tmp_path, *range(1, 11), **EVERYTHING) == uninterrupted


def test_a_run_can_be_resumed_in_a_new_process(tmp_path, uninterrupted):
    outcome(seed=1, epochs=5, checkpoint=tmp_path, **EVERYTHING)
    source = str(Path(torch_workflow.__file__).parents[1])
    run = subprocess.run(
        [sys.executable, __file__, tmp_path],
        env=os.environ | {"PYTHONPATH": source},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout) == uninterrupted


def test_a_checkpoint_makes_no_difference_to_a_run(tmp_path, uninterrupted):
    assert outcome(seed=1, checkpoint=tmp_path, **EVERYTHING) == uninterrupted


@pytest.mark.parametrize("stop", range(1, 12))
def test_a_resumed_run_is_out_of_patience_in_the_same_epoch(tmp_path, stop):
    expected = outcome(seed=1, epochs=20, **PATIENT)
    assert stopped_and_resumed(tmp_path, stop, 20, **PATIENT) == expected


def test_that_run_is_stopped_before_and_after_its_best_epoch():
    losses = outcome(seed=1, epochs=20, **PATIENT)["history"]["validation_loss"]
    assert (losses.index(min(losses)) + 1, len(losses)) == (9, 12)


# The same seed


def by_hand(model, train, validation, *, loss_function, optimizer, epochs, scheduler) -> History:
    """What fit does, without its checks."""
    history = History()
    for _ in range(epochs):
        rate = optimizer.param_groups[0]["lr"]
        train_loss = train_epoch(model, train, loss_function, optimizer)
        validation_loss = evaluate(model, validation, loss_function)
        scheduler.step(validation_loss)
        history.append(train_loss, validation_loss, rate)
    return history


def test_fit_equals_its_parts_called_by_hand_bit_for_bit(uninterrupted):
    assert outcome(seed=1, train_with=by_hand, **EVERYTHING) == uninterrupted


def plots():
    plot_data(LINE)
    plot_losses(History([2.0, 1.0], [2.0, 1.0], [0.1, 0.1]))
    matplotlib.pyplot.close("all")


def a_failed_run():
    with contextlib.suppress(ValueError):
        outcome(seed=5, epochs=3, train=lambda seed: [(torch.ones(2, 1), torch.ones(3, 1))])


def an_interrupted_run():
    def interrupted(predictions, labels):
        if torch.is_grad_enabled() and torch.rand(1) < 0.2:
            raise KeyboardInterrupt
        return mean_squared_error(predictions, labels)

    model = with_everything()
    trained = torch.optim.Adam(model.parameters())
    loader = batches(*LINE, batch_size=2)
    with pytest.raises(KeyboardInterrupt):
        fit(model, loader, loader, loss_function=interrupted, optimizer=trained, epochs=99)


BEFORE = {
    "nothing": lambda: None,
    "the same run": lambda: outcome(seed=1, **EVERYTHING),
    "another run": lambda: outcome(seed=2, **CASES["AdamW"]),
    "a run that failed": a_failed_run,
    "a run that was interrupted": an_interrupted_run,
    "plots": plots,
    "draws": lambda: [draw() for draw in DRAWS],
    "a prediction": lambda: predict(with_everything(), LINE.features),
}


@pytest.mark.parametrize("before", BEFORE.values(), ids=BEFORE)
def test_the_same_seed_gives_the_same_run_whatever_ran_before(uninterrupted, before):
    before()
    assert outcome(seed=1, **EVERYTHING) == uninterrupted


def test_another_seed_gives_another_run(uninterrupted):
    assert outcome(seed=2, **EVERYTHING)["history"] != uninterrupted["history"]


@pytest.mark.parametrize("before", BEFORE.values(), ids=BEFORE)
def test_gradients_are_recorded_afterwards_as_they_were_before(before):
    before()
    assert torch.is_grad_enabled()
    assert not torch.is_inference_mode_enabled()


@pytest.mark.parametrize("enabled", [True, False])
def test_evaluating_leaves_the_recording_of_gradients_on_or_off(enabled):
    model = with_dropout()
    with torch.set_grad_enabled(enabled):
        evaluate(model, batches(*LINE), mean_squared_error)
        assert torch.is_grad_enabled() == enabled


# Runs that a checkpoint cannot keep


def run_that_cannot_be_kept(kind, folder):
    model, options = with_dropout(), {}
    if kind == "foreign parameters":
        parameters = [*model.parameters(), nn.Parameter(torch.zeros(1))]
    else:
        parameters = model.parameters()
        options = {"num_workers": 1, "persistent_workers": True, "multiprocessing_context": FORK}
    persistent, usual = loader(**options), batches(*LINE)
    return {
        "model": model,
        "train": usual if kind == "persistent workers in validation" else persistent,
        "validation": persistent if kind == "persistent workers in validation" else usual,
        "loss_function": mean_squared_error,
        "optimizer": torch.optim.Adam(parameters),
        "epochs": 1,
        "checkpoint": folder,
    }


NOT_KEPT = pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("persistent workers in train", "train has persistent workers"),
        ("persistent workers in validation", "validation has persistent workers"),
        ("foreign parameters", "optimizer holds parameters that are not the model's"),
    ],
)


@NOT_KEPT
def test_a_run_that_a_checkpoint_cannot_keep_is_refused(tmp_path, kind, sentence):
    with pytest.raises(ValueError, match=sentence):
        fit(**run_that_cannot_be_kept(kind, tmp_path / "run"))


@NOT_KEPT
def test_a_run_that_a_checkpoint_cannot_keep_trains_nothing(tmp_path, kind, sentence):
    run = run_that_cannot_be_kept(kind, tmp_path / "run")
    before = [parameter.tolist() for parameter in run["model"].parameters()]
    with pytest.raises(ValueError):
        fit(**run)
    assert [parameter.tolist() for parameter in run["model"].parameters()] == before
    assert not (tmp_path / "run").exists()


@NOT_KEPT
def test_a_run_that_a_checkpoint_cannot_keep_is_trained_without_one(kind, sentence):
    assert len(fit(**run_that_cannot_be_kept(kind, None))) == 1


# Checkpoints of another run


OTHER_RUNS = {
    "another model": {"model": with_everything},
    "another optimizer": {"optimizer": using(torch.optim.NAdam)},
    "another scheduler": {"scheduler": CASES["LambdaLR"]["scheduler"]},
    "other generators": {"train": CASES["batches, global generator"]["train"]},
}


@pytest.mark.parametrize("other", OTHER_RUNS.values(), ids=OTHER_RUNS)
def test_a_run_is_not_resumed_from_the_checkpoint_of_another(tmp_path, other):
    outcome(seed=1, epochs=2, checkpoint=tmp_path)
    with pytest.raises(ValueError):
        outcome(seed=1, epochs=4, checkpoint=tmp_path, resume=True, **other)


@pytest.mark.parametrize("other", OTHER_RUNS.values(), ids=OTHER_RUNS)
def test_a_refused_checkpoint_can_still_be_resumed_by_its_own_run(tmp_path, other):
    outcome(seed=1, epochs=2, checkpoint=tmp_path)
    with contextlib.suppress(ValueError):
        outcome(seed=1, epochs=4, checkpoint=tmp_path, resume=True, **other)
    resumed = outcome(seed=2, epochs=4, checkpoint=tmp_path, resume=True)
    assert resumed == outcome(seed=1, epochs=4)


if __name__ == "__main__":
    torch.set_num_threads(1)
    folder = sys.argv[1]
    print(json.dumps(outcome(seed=2, checkpoint=folder, resume=True, **EVERYTHING)))
