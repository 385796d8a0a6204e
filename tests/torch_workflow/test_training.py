"""The training loop, the evaluation loop, and fit, which runs both for many epochs."""

import math
import pickle
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import ReduceLROnPlateau, StepLR
from torch.utils.data import DataLoader, TensorDataset

from torch_workflow import (
    DivergenceError,
    History,
    LinearRegression,
    batches,
    clear_gradients,
    evaluate,
    fit,
    load_checkpoint,
    load_model,
    straight_line,
    train_epoch,
)

LINE = straight_line(8)


def line_model(weight=0.0, bias=0.0) -> LinearRegression:
    model = LinearRegression()
    model.load_state_dict({"weight": torch.tensor([weight]), "bias": torch.tensor([bias])})
    return model


def sgd(model, lr=0.1, **options) -> torch.optim.Optimizer:
    return torch.optim.SGD(model.parameters(), lr=lr, **options)


def numbers_of(model) -> list[float]:
    return [parameter.item() for parameter in model.parameters()]


class WatchedLine(LinearRegression):
    """Remembers in which mode it was for each call."""

    def __init__(self):
        super().__init__()
        self.modes = []

    def forward(self, x):
        self.modes.append("train" if self.training else "eval")
        return super().forward(x)


class OnItsDevice(nn.Module):
    """Is on the device of its first parameter, and predicts its features as they arrive there."""

    def __init__(self, device):
        super().__init__()
        self.first = nn.Parameter(torch.ones((), device=device))
        self.weight = nn.Parameter(torch.ones(()))

    def forward(self, x):
        return x


class LossesInTurn:
    """Rows on which a model that predicts 0 has one given mean error after another.

    The next one comes once it was read to its end, and not when only its first batch was.
    """

    def __init__(self, *losses):
        self.losses = list(losses)

    def __iter__(self):
        yield torch.zeros(1, 1), torch.tensor([[self.losses[0]]])
        del self.losses[0]


ZEROS = (torch.zeros(1, 1), torch.zeros(1, 1))


def fit_with_losses(*, train=None, validation=None, lr=0.0, scheduler=None, **options) -> History:
    """Fit a model that predicts 0 and stays there, with the losses given in turn."""
    model = line_model()
    optimizer = sgd(model, lr=lr)
    return fit(
        model,
        LossesInTurn(*train) if train else [ZEROS],
        LossesInTurn(*validation) if validation else [ZEROS],
        loss_function=nn.L1Loss(),
        optimizer=optimizer,
        epochs=len(train or validation),
        scheduler=scheduler and scheduler(optimizer),
        **options,
    )


def fit_with_validation_losses(*losses, **options) -> History:
    return fit_with_losses(validation=losses, **options)


def fit_across_the_best(**options) -> tuple[LinearRegression, History]:
    """Fit a model whose prediction grows by 0.5 an epoch, past the validation label 1, to 10."""
    model = line_model()
    history = fit(
        model,
        [(torch.ones(1, 1), torch.full((1, 1), 10.0))],
        [(torch.ones(1, 1), torch.full((1, 1), 1.0))],
        optimizer=sgd(model, lr=0.25),  # moves weight and bias by 0.25 each
        **{"loss_function": nn.L1Loss(), **options},
    )
    return model, history


# train_epoch


def test_an_epoch_equals_five_steps_by_hand_bit_for_bit():
    features, labels = straight_line(10)
    model, by_hand = line_model(1.0, -1.0), line_model(1.0, -1.0)
    train_epoch(
        model,
        batches(features, labels, batch_size=2),
        nn.MSELoss(),
        sgd(model, momentum=0.9),
    )
    optimizer = sgd(by_hand, momentum=0.9)
    for start in (0, 2, 4, 6, 8):
        predictions = by_hand(features[start : start + 2])
        loss = ((predictions - labels[start : start + 2]) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert numbers_of(model) == numbers_of(by_hand)


def test_the_training_loss_of_a_batch_is_from_before_its_update():
    model = line_model()
    labels = torch.tensor([[4.0]])
    loss = train_epoch(model, batches(torch.ones(1, 1), labels), nn.L1Loss(), sgd(model))
    assert loss == 4.0


def test_gradients_from_earlier_are_not_added_to():
    model, fresh = line_model(), line_model()
    for parameter in model.parameters():
        parameter.grad = torch.full((1,), 100.0)
    train_epoch(model, batches(*LINE), nn.MSELoss(), sgd(model))
    train_epoch(fresh, batches(*LINE), nn.MSELoss(), sgd(fresh))
    assert numbers_of(model) == numbers_of(fresh)


def test_an_epoch_clears_the_gradients_that_no_loss_reaches():
    model = line_model()
    unused = nn.Parameter(torch.ones(1))
    unused.grad = torch.ones(1)
    optimizer = torch.optim.SGD([*model.parameters(), unused], lr=0.1)
    train_epoch(model, batches(*LINE), nn.MSELoss(), optimizer)
    assert (unused.item(), unused.grad) == (1.0, None)


def test_an_epoch_leaves_the_gradients_that_the_optimizer_does_not_hold():
    model = line_model()
    optimizer = torch.optim.SGD([model.weight], lr=0.0)
    loader = batches(torch.zeros(6, 1), torch.ones(6, 1), batch_size=2)
    train_epoch(model, loader, nn.L1Loss(), optimizer)
    assert model.bias.grad.item() == -3.0  # from each of three batches


def test_clearing_gradients_does_what_zero_grad_does():
    model, other = nn.Linear(2, 2), nn.Linear(2, 2)
    for parameter in (*model.parameters(), *other.parameters()):
        parameter.grad = torch.ones_like(parameter)
    clear_gradients(torch.optim.SGD([{"params": [model.weight]}, {"params": [model.bias]}], lr=0.1))
    assert [p.grad for p in model.parameters()] == [None, None]
    assert [p.grad.sum().item() for p in other.parameters()] == [4.0, 2.0]


def test_an_epoch_trains_in_training_mode_and_stays_there():
    model = WatchedLine().eval()
    train_epoch(model, batches(*LINE, batch_size=4), nn.MSELoss(), sgd(model))
    assert model.modes == ["train", "train"]
    assert model.training


def test_dropout_is_active_in_training():
    model = nn.Sequential(line_model(bias=7.0), nn.Dropout(1.0))  # predicts 0 while it trains
    loader = batches(torch.zeros(4, 1), torch.ones(4, 1))
    assert train_epoch(model, loader, nn.L1Loss(), sgd(model)) == 1.0


def test_a_data_loader_gives_the_same_epoch_as_batches():
    loader = DataLoader(TensorDataset(*LINE), batch_size=3)
    model, other = line_model(), line_model()
    loss = train_epoch(model, loader, nn.MSELoss(), sgd(model))
    other_loss = train_epoch(other, batches(*LINE, batch_size=3), nn.MSELoss(), sgd(other))
    assert (loss, numbers_of(model)) == (other_loss, numbers_of(other))


def epoch_of(loop, model, loader, loss_function=None, **options) -> float:
    loss_function = loss_function or nn.L1Loss()
    if loop == "evaluate":
        return evaluate(model, loader, loss_function, **options)
    return train_epoch(model, loader, loss_function, sgd(model, lr=0.0), **options)


BOTH_LOOPS = pytest.mark.parametrize("loop", ["train", "evaluate"])


@BOTH_LOOPS
def test_the_loss_is_averaged_over_rows_and_not_over_batches(loop):
    labels = torch.tensor([[0.0], [0.0], [3.0]])
    loader = batches(torch.zeros(3, 1), labels, batch_size=2)  # batches with losses of 0 and 3
    assert epoch_of(loop, line_model(), loader) == 1.0


@BOTH_LOOPS
def test_the_losses_of_a_model_in_float64_are_averaged_in_full_precision(loop):
    model = line_model().double()
    labels = torch.tensor([[1.0], [1.0 + 2**-40]], dtype=torch.float64)
    loader = batches(torch.zeros_like(labels), labels, batch_size=1)
    assert epoch_of(loop, model, loader) == 1.0 + 2**-41


@BOTH_LOOPS
def test_losses_in_float32_are_added_without_rounding(loop):
    labels = torch.tensor([[2.0**24], [1.0], [1.0], [1.0], [1.0], [1.0]])
    loader = batches(torch.zeros_like(labels), labels, batch_size=1)
    assert epoch_of(loop, line_model(), loader) == (2**24 + 5) / 6


@BOTH_LOOPS
def test_many_losses_in_bfloat16_have_the_mean_of_the_single_losses(loop):
    # In bfloat16 there is no 257, nor the sum of all, 802.
    labels = torch.tensor([[1.0], [3.0]] * 200 + [[2.0]], dtype=torch.bfloat16)
    loader = batches(torch.zeros_like(labels), labels, batch_size=1)
    assert epoch_of(loop, line_model().bfloat16(), loader) == 2.0


@BOTH_LOOPS
@pytest.mark.parametrize("loader", [[], DataLoader(TensorDataset(*LINE), 9, drop_last=True)])
def test_an_epoch_without_a_batch_is_refused(loop, loader):
    with pytest.raises(ValueError, match=r"^there was no batch: give the loader at least one row$"):
        epoch_of(loop, line_model(), loader)


@BOTH_LOOPS
@pytest.mark.parametrize(
    ("device", "options"), [("meta", {}), ("cpu", {"device": torch.device("meta")})]
)
def test_batches_are_brought_to_the_device_of_the_model_or_the_one_that_is_named(
    loop, device, options
):
    devices = []

    def loss_function(predictions, labels):
        devices.append((predictions.device.type, labels.device.type))
        return model.weight.clone()

    model = OnItsDevice(device)
    epoch_of(loop, model, batches(*LINE), loss_function, **options)
    assert devices == [("meta", "meta")]


# evaluate


def test_the_loss_of_a_known_line_is_exact():
    features, labels = torch.tensor([[0.0], [1.0]]), torch.tensor([[1.0], [5.0]])
    model = line_model(weight=2.0, bias=1.0)  # predicts 1 and 3
    assert evaluate(model, batches(features, labels), nn.MSELoss()) == 2.0


@pytest.mark.parametrize("batch_size", [1, 3, 8, None])
def test_evaluating_in_batches_gives_the_loss_of_all_rows_at_once(batch_size):
    model = line_model(weight=0.5)
    at_once = nn.MSELoss()(model(LINE.features), LINE.labels).item()
    loss = evaluate(model, batches(*LINE, batch_size=batch_size), nn.MSELoss())
    assert loss == pytest.approx(at_once, rel=1e-6)


def test_evaluating_changes_neither_weights_nor_buffers():
    model = nn.Sequential(nn.Linear(1, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    evaluate(model, batches(*LINE), nn.MSELoss())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_evaluating_leaves_gradients_as_they_are():
    model = line_model()
    model.weight.grad = torch.tensor([3.0])
    evaluate(model, batches(*LINE), nn.MSELoss())
    assert (model.weight.grad.item(), model.bias.grad) == (3.0, None)


def test_evaluating_records_no_gradient():
    seen = []

    def loss_function(predictions, labels):
        seen.append(predictions.requires_grad)
        return nn.functional.mse_loss(predictions, labels)

    evaluate(line_model(), batches(*LINE), loss_function)
    assert seen == [False]


def test_evaluating_draws_no_random_numbers():
    model = nn.Sequential(line_model(), nn.Dropout())
    before = torch.get_rng_state()
    evaluate(model, batches(*LINE), nn.MSELoss())
    assert torch.equal(torch.get_rng_state(), before)


def test_evaluating_is_in_evaluation_mode_and_stays_there():
    model = WatchedLine().train()
    evaluate(model, batches(*LINE, batch_size=4), nn.MSELoss())
    assert model.modes == ["eval", "eval"]
    assert not model.training


def test_dropout_is_not_active_in_evaluation():
    model = nn.Sequential(line_model(bias=7.0), nn.Dropout(1.0)).train()
    loader = batches(torch.zeros(4, 1), torch.ones(4, 1))
    assert evaluate(model, loader, nn.L1Loss()) == 6.0


def test_a_data_loader_can_be_evaluated():
    loader = DataLoader(TensorDataset(*LINE), batch_size=3)
    expected = evaluate(line_model(), batches(*LINE, batch_size=3), nn.MSELoss())
    assert evaluate(line_model(), loader, nn.MSELoss()) == expected


# History


def test_the_length_of_a_history_is_its_number_of_epochs():
    assert len(History()) == 0
    assert len(History([3.0, 2.0], [3.0, 2.0], [0.1, 0.1])) == 2


@pytest.mark.parametrize(
    ("losses", "best"),
    [
        ([], 0),
        ([3.0], 1),
        ([3.0, 1.0, 2.0], 2),
        ([3.0, 1.0, 1.0], 2),
        ([math.inf, 1.0], 2),
        ([1.0, math.nan], 1),
        ([math.nan, 1.0], 2),
    ],
)
def test_the_best_epoch_is_the_first_with_the_lowest_validation_loss(losses, best):
    assert History(train_loss=losses, validation_loss=losses).best_epoch == best


def test_an_epoch_is_added_to_each_list_of_a_history():
    history = History([3.0], [2.0], [0.1])
    history.append(1.0, 1.5, 0.05)
    assert history == History([3.0, 1.0], [2.0, 1.5], [0.1, 0.05])


def test_a_history_takes_over_the_state_of_another():
    history, other = History([3.0], [2.0], [0.1]), History()
    other.load_state_dict(history.state_dict())
    assert other == history


def test_the_state_of_a_history_does_not_grow_with_it():
    history = History([3.0], [2.0], [0.1])
    state = history.state_dict()
    history.append(1.0, 1.0, 0.1)
    assert state == {"train_loss": [3.0], "validation_loss": [2.0], "learning_rate": [0.1]}


def test_a_history_does_not_grow_with_the_one_that_it_took_over():
    history, other = History([3.0], [2.0], [0.1]), History()
    state = history.state_dict()
    other.load_state_dict(state)
    other.append(1.0, 1.0, 0.1)
    assert state == history.state_dict()


# fit


def test_fit_equals_a_loop_by_hand_bit_for_bit():
    model, by_hand = line_model(), line_model()
    validation = straight_line(4, weight=0.5)
    history = fit(
        model,
        batches(*LINE),
        batches(*validation),
        loss_function=nn.MSELoss(),
        optimizer=sgd(model),
        epochs=20,
    )
    optimizer, expected = sgd(by_hand), History()
    for _ in range(20):
        loss = ((by_hand(LINE.features) - LINE.labels) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        validation_loss = ((by_hand(validation.features) - validation.labels) ** 2).mean()
        expected.train_loss.append(loss.item())
        expected.validation_loss.append(validation_loss.item())
        expected.learning_rate.append(0.1)
    assert history == expected
    assert numbers_of(model) == numbers_of(by_hand)


@pytest.mark.parametrize("epochs", [1, 5])
def test_the_history_has_one_number_of_each_kind_for_each_epoch(epochs):
    _, history = fit_across_the_best(epochs=epochs)
    lists = (history.train_loss, history.validation_loss, history.learning_rate)
    assert [len(values) for values in lists] == [epochs] * 3


def test_the_validation_loss_is_from_after_the_last_update_of_the_epoch():
    _, history = fit_across_the_best(epochs=3)
    assert history.train_loss == [10.0, 9.5, 9.0]
    assert history.validation_loss == [0.5, 0.0, 0.5]


def test_every_epoch_trains_in_training_mode_and_evaluates_in_evaluation_mode():
    model = WatchedLine()
    fit(
        model,
        batches(*LINE, batch_size=4),
        batches(*LINE),
        loss_function=nn.MSELoss(),
        optimizer=sgd(model),
        epochs=2,
    )
    tried, trained = model.modes[:2], model.modes[2:]
    assert tried == ["eval", "eval"]  # the first batch of each loader, before the first epoch
    assert trained == ["train", "train", "eval"] * 2


def test_fit_takes_data_loaders():
    model, other = line_model(), line_model()
    history = fit(
        model,
        DataLoader(TensorDataset(*LINE), batch_size=3),
        DataLoader(TensorDataset(*LINE), batch_size=5),
        loss_function=nn.MSELoss(),
        optimizer=sgd(model),
        epochs=3,
    )
    expected = fit(
        other,
        batches(*LINE, batch_size=3),
        batches(*LINE, batch_size=5),
        loss_function=nn.MSELoss(),
        optimizer=sgd(other),
        epochs=3,
    )
    assert history == expected
    assert numbers_of(model) == numbers_of(other)


def fit_with_halving_rate(lr) -> tuple[LinearRegression, History]:
    model = line_model()
    optimizer = sgd(model, lr=lr)
    history = fit(
        model,
        [(torch.ones(1, 1), torch.full((1, 1), 10.0))],
        batches(*LINE),
        loss_function=nn.L1Loss(),  # its gradient is 1 as long as the prediction is below 10
        optimizer=optimizer,
        epochs=4,
        scheduler=StepLR(optimizer, step_size=1, gamma=0.5),
    )
    return model, history


def test_the_scheduler_steps_once_after_each_epoch():
    model, _ = fit_with_halving_rate(1.0)
    assert numbers_of(model) == [1.875, 1.875]  # 1 + 1/2 + 1/4 + 1/8


def test_the_history_has_the_learning_rate_during_each_epoch():
    _, history = fit_with_halving_rate(1.0)
    assert history.learning_rate == [1.0, 0.5, 0.25, 0.125]


def test_a_learning_rate_kept_in_a_tensor_is_recorded_epoch_by_epoch_too():
    _, history = fit_with_halving_rate(torch.tensor(1.0))
    assert history.learning_rate == [1.0, 0.5, 0.25, 0.125]


def test_a_scheduler_that_waits_for_a_plateau_is_told_the_validation_loss():
    history = fit_with_losses(
        validation=[5.0, 4.0, 4.5, 4.4],  # the training loss is the same in every epoch
        lr=1.0,
        scheduler=lambda optimizer: ReduceLROnPlateau(optimizer, factor=0.5, patience=0),
    )
    assert history.learning_rate == [1.0, 1.0, 1.0, 0.5]


@pytest.mark.parametrize(
    ("losses", "patience", "epochs"),
    [
        ([5.0, 4.0, 6.0, 6.0, 1.0], 1, 3),
        ([5.0, 4.0, 6.0, 6.0, 1.0], 2, 4),
        ([5.0, 4.0, 6.0, 6.0, 1.0], 3, 5),
        ([5.0, 6.0, 4.0, 6.0, 3.0, 7.0, 7.0, 1.0], 2, 7),  # counted anew at each new lowest
        ([5.0, 5.0, 5.0, 5.0], 2, 3),  # an equal loss is no new lowest
        ([5.0, 6.0, 5.5, 5.2], 2, 3),  # better than before is not yet a new lowest
    ],
)
def test_training_stops_after_as_many_epochs_without_a_new_lowest_loss(losses, patience, epochs):
    assert fit_with_validation_losses(*losses, patience=patience).validation_loss == losses[:epochs]


def test_training_goes_on_without_a_new_lowest_loss_where_no_patience_is_given():
    assert len(fit_with_validation_losses(1.0, 2.0, 3.0, 4.0, 5.0)) == 5


def test_a_progress_bar_counts_the_epochs_on_stderr_when_asked(capsys):
    fit_across_the_best(epochs=3, progress=True)
    output = capsys.readouterr()
    assert "training: 100%" in output.err
    assert "3/3" in output.err
    assert output.out == ""


def test_nothing_is_printed_unless_asked(capsys):
    fit_across_the_best(epochs=3)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 0}, "epochs is 0: train for a whole number of epochs, at least 1"),
        ({"epochs": -2}, "epochs is -2: train for a whole number of epochs, at least 1"),
        ({"epochs": 1.5}, "epochs is 1.5: train for a whole number of epochs, at least 1"),
        (
            {"epochs": 1, "patience": 0},
            "patience is 0: wait for a whole number of epochs, at least 1",
        ),
        (
            {"epochs": 1, "resume": True},
            "resume is true and checkpoint is None: name the folder to resume from",
        ),
    ],
)
def test_an_argument_that_makes_no_sense_is_refused(options, message):
    with pytest.raises(ValueError) as raised:
        fit_across_the_best(**options)
    assert str(raised.value) == message


def test_a_whole_number_of_epochs_may_come_from_numpy():
    _, history = fit_across_the_best(epochs=np.int64(3), patience=np.int64(2))
    assert len(history) == 3


def calls_of_each_epoch(epochs) -> list[int]:
    """How many functions, of Python and C, each epoch of a run calls."""
    counts, calls = [], 0

    class Counting(LossesInTurn):
        def __iter__(self):
            counts.append(calls)
            return super().__iter__()

    def count(frame, event, argument):
        nonlocal calls
        calls += event in ("call", "c_call")

    model, earlier = line_model(), sys.getprofile()
    losses = [float(epoch) for epoch in range(epochs, 0, -1)]
    sys.setprofile(count)
    try:
        fit(
            model,
            [ZEROS],
            Counting(*losses),
            loss_function=nn.L1Loss(),
            optimizer=sgd(model, lr=0.0),
            epochs=epochs,
            patience=2,
        )
    finally:
        sys.setprofile(earlier)
    return [after - before for before, after in pairwise(counts[1:])]  # 0 is before the first


def test_a_late_epoch_takes_no_more_steps_than_an_early_one():
    calls = calls_of_each_epoch(60)
    assert min(calls[-10:]) == min(calls[:10])  # of ten, for the garbage collector calls some too


# fit that diverges


@pytest.mark.parametrize("loss", [math.nan, math.inf])
@pytest.mark.parametrize("part", ["train", "validation"])
def test_a_loss_that_is_not_finite_ends_the_run_with_an_error_that_names_the_epoch(part, loss):
    name = "training" if part == "train" else "validation"
    with pytest.raises(DivergenceError) as raised:
        fit_with_losses(**{part: [5.0, 4.0, loss, 3.0]})
    assert str(raised.value).startswith(f"the {name} loss is {loss} in epoch 3: ")


@pytest.mark.parametrize("part", ["train", "validation"])
def test_the_error_carries_the_epochs_before_the_one_that_diverged(part):
    with pytest.raises(DivergenceError) as raised:
        fit_with_losses(**{part: [5.0, 4.0, math.nan, 3.0]})
    expected = {"train_loss": [0.0, 0.0], "validation_loss": [0.0, 0.0], f"{part}_loss": [5.0, 4.0]}
    assert raised.value.history == History(**expected, learning_rate=[0.0, 0.0])


def test_a_run_with_too_large_a_learning_rate_diverges():
    model = line_model()
    with pytest.raises(DivergenceError, match=r"loss is (inf|nan) in epoch \d+: .*learning rate"):
        fit(
            model,
            batches(*LINE),
            batches(*LINE),
            loss_function=nn.MSELoss(),
            optimizer=sgd(model, lr=100.0),
            epochs=100,
        )


def test_patience_does_not_hide_that_a_run_diverged():
    with pytest.raises(DivergenceError):
        fit_with_validation_losses(5.0, math.nan, 5.0, patience=1)


def test_an_error_about_divergence_can_be_sent_to_another_process():
    error = pickle.loads(pickle.dumps(DivergenceError("diverged", History([1.0], [2.0], [0.1]))))
    assert (str(error), error.history) == ("diverged", History([1.0], [2.0], [0.1]))


def fit_until_it_diverges(folder, part) -> None:
    """Fit across the best epoch, the second, until the fourth has a loss that is no number."""
    calls = {"train": 0, "validation": 0}

    def loss_function(predictions, labels):
        name = "train" if labels.item() == 10 else "validation"
        calls[name] += 1
        diverged = name == part and calls[name] == 5  # the first is before the first epoch
        return nn.functional.l1_loss(predictions, labels) * (math.nan if diverged else 1)

    with pytest.raises(DivergenceError):
        fit_across_the_best(epochs=9, checkpoint=folder, loss_function=loss_function)


@pytest.mark.parametrize("part", ["train", "validation"])
def test_the_checkpoint_of_a_run_that_diverged_is_that_of_the_epoch_before(tmp_path, part):
    fit_until_it_diverges(tmp_path, part)
    model, history = LinearRegression(), History()
    load_checkpoint(tmp_path / "last.pt", model, sgd(model), history)
    assert history.train_loss == [10.0, 9.5, 9.0]
    assert history.validation_loss == [0.5, 0.0, 0.5]
    assert numbers_of(model) == [0.75, 0.75]


@pytest.mark.parametrize("part", ["train", "validation"])
def test_the_best_weights_of_a_run_that_diverged_are_from_before(tmp_path, part):
    fit_until_it_diverges(tmp_path, part)
    best = LinearRegression()
    load_model(best, tmp_path / "best.safetensors")
    assert numbers_of(best) == [0.5, 0.5]


def test_a_run_that_diverges_at_once_leaves_no_checkpoint(tmp_path):
    def loss_function(predictions, labels):
        return nn.functional.l1_loss(predictions, labels) * math.nan

    with pytest.raises(DivergenceError) as raised:
        fit_across_the_best(epochs=2, checkpoint=tmp_path, loss_function=loss_function)
    assert len(raised.value.history) == 0
    assert list(tmp_path.iterdir()) == []


def test_a_refused_argument_leaves_no_folder(tmp_path):
    with pytest.raises(ValueError, match="epochs is 0"):
        fit_across_the_best(epochs=0, checkpoint=tmp_path / "run")
    assert not (tmp_path / "run").exists()


# fit with checkpoints


@pytest.mark.parametrize("kind", [str, Path])
def test_a_run_keeps_its_last_state_and_its_best_weights_in_a_folder_that_it_makes(tmp_path, kind):
    folder = tmp_path / "runs" / "first"
    fit_across_the_best(epochs=2, checkpoint=kind(folder))
    assert sorted(path.name for path in folder.iterdir()) == ["best.safetensors", "last.pt"]


def test_the_best_weights_are_those_with_the_lowest_validation_loss(tmp_path):
    fit_across_the_best(epochs=5, checkpoint=tmp_path)
    best = LinearRegression()
    load_model(best, tmp_path / "best.safetensors")
    assert numbers_of(best) == [0.5, 0.5]  # after epoch 2 of 5


def test_an_existing_checkpoint_without_resume_is_refused(tmp_path):
    fit_across_the_best(epochs=1, checkpoint=tmp_path)
    with pytest.raises(FileExistsError) as raised:
        fit_across_the_best(epochs=2, checkpoint=tmp_path)
    assert str(raised.value) == (
        f"{tmp_path} holds the checkpoint of an earlier run: "
        "pass resume=True to go on from it, or name another folder"
    )


def test_a_refused_checkpoint_is_untouched(tmp_path):
    fit_across_the_best(epochs=1, checkpoint=tmp_path)
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in tmp_path.iterdir()}
    with pytest.raises(FileExistsError):
        fit_across_the_best(epochs=2, checkpoint=tmp_path)
    after = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in tmp_path.iterdir()}
    assert after == before


def test_resuming_where_there_is_no_checkpoint_starts_from_the_beginning(tmp_path):
    _, history = fit_across_the_best(epochs=3, checkpoint=tmp_path / "run", resume=True)
    assert history.train_loss == [10.0, 9.5, 9.0]


def test_resuming_counts_the_epochs_of_the_run_so_far(tmp_path):
    fit_across_the_best(epochs=2, checkpoint=tmp_path)
    model, history = fit_across_the_best(epochs=3, checkpoint=tmp_path, resume=True)
    assert history.train_loss == [10.0, 9.5, 9.0]
    assert numbers_of(model) == [0.75, 0.75]


def test_resuming_a_finished_run_returns_it_as_it_was(tmp_path):
    trained, history = fit_across_the_best(epochs=3, checkpoint=tmp_path)
    model, again = fit_across_the_best(epochs=3, checkpoint=tmp_path, resume=True)
    assert again == history
    assert numbers_of(model) == numbers_of(trained)


def test_resuming_a_run_that_was_out_of_patience_trains_no_more(tmp_path):
    _, history = fit_across_the_best(epochs=9, patience=2, checkpoint=tmp_path)
    _, again = fit_across_the_best(epochs=9, patience=2, checkpoint=tmp_path, resume=True)
    assert len(history) == 4
    assert again == history


def test_resuming_for_fewer_epochs_than_were_trained_is_refused(tmp_path):
    fit_across_the_best(epochs=3, checkpoint=tmp_path)
    with pytest.raises(ValueError) as raised:
        fit_across_the_best(epochs=2, checkpoint=tmp_path, resume=True)
    assert str(raised.value) == (
        "epochs is 2, and the checkpoint has 3 epochs: "
        "epochs counts those before the stop too, so ask for more"
    )


def test_a_resumed_run_remembers_its_best_epoch(tmp_path):
    fit_across_the_best(epochs=3, checkpoint=tmp_path)
    fit_across_the_best(epochs=5, checkpoint=tmp_path, resume=True)
    best = LinearRegression()
    load_model(best, tmp_path / "best.safetensors")
    assert numbers_of(best) == [0.5, 0.5]


def test_a_run_with_a_scheduler_is_resumed_with_one(tmp_path):
    run_with_everything(seed=1, epochs=1, checkpoint=tmp_path)
    with pytest.raises(ValueError, match="saved with scheduler StepLR, here scheduler is None: "):
        run_with_everything(
            seed=1, epochs=2, checkpoint=tmp_path, resume=True, with_scheduler=False
        )


def run_with_everything(
    *, seed, epochs, loss_function=None, with_scheduler=True, **options
) -> dict:
    """What a run gave that shuffles, drops out and has Adam and a scheduler, down to the bit.

    The seed decides over the weights and all random numbers of a run that starts from nothing.
    A resumed run has them from its checkpoint, so it must not matter there.
    """
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(1, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    history = fit(
        model,
        batches(
            *straight_line(20),
            batch_size=6,
            shuffle=True,
            generator=torch.Generator().manual_seed(seed),
        ),
        batches(*LINE),
        loss_function=loss_function or nn.MSELoss(),
        optimizer=optimizer,
        epochs=epochs,
        scheduler=StepLR(optimizer, step_size=2, gamma=0.5) if with_scheduler else None,
        **options,
    )
    weights = {name: value.tolist() for name, value in model.state_dict().items()}
    return {"history": history.state_dict(), "weights": weights}


def test_a_run_interrupted_within_an_epoch_resumes_as_if_it_had_not_been(tmp_path):
    calls = 0

    def interrupted(predictions, labels):
        nonlocal calls
        calls += 1
        if calls == 19:  # of 2 before the first epoch and 5 in each
            raise KeyboardInterrupt
        return nn.functional.mse_loss(predictions, labels)

    uninterrupted = run_with_everything(seed=1, epochs=6)
    with pytest.raises(KeyboardInterrupt):
        run_with_everything(seed=1, epochs=6, loss_function=interrupted, checkpoint=tmp_path)
    resumed = run_with_everything(seed=2, epochs=6, checkpoint=tmp_path, resume=True)
    assert resumed == uninterrupted
