"""Training where the model and the data are on an accelerator."""

import math

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from torch_workflow import (
    Batches,
    History,
    LinearRegression,
    batches,
    best_device,
    device_of,
    evaluate,
    fit,
    generators_of,
    load_checkpoint,
    load_model,
    move,
    predict,
    save_model,
    split,
    straight_line,
    train_epoch,
)
from torch_workflow.checks import check_run
from torch_workflow.data import Rows

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.accelerator.is_available(), reason="needs an accelerator"),
]
needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def device() -> torch.device:
    """With its number, as the tensors on it have it."""
    return torch.empty(0, device=best_device()).device


@pytest.fixture(scope="module")
def line(device) -> Rows:
    return Rows(*(tensor.to(device) for tensor in straight_line(64)))


def sgd(model, lr=0.1, **options) -> torch.optim.Optimizer:
    return torch.optim.SGD(model.parameters(), lr=lr, **options)


def with_dropout(device) -> nn.Module:
    return nn.Sequential(nn.Linear(1, 8), nn.Dropout(0.5), nn.Linear(8, 1)).to(device)


def shuffled(rows) -> Batches:
    return batches(*rows, batch_size=8, shuffle=True, generator=seeded(1))


def pinned(rows=None, **options) -> DataLoader:
    dataset = TensorDataset(*(rows or straight_line(64)))
    return DataLoader(dataset, batch_size=8, pin_memory=True, **options)


# No part of an epoch waits for the device.


class WithoutWaiting:
    """Batches during which whatever makes Python wait for the device raises an error."""

    def __init__(self, loader):
        self.loader = loader

    def __iter__(self):
        torch.cuda.set_sync_debug_mode("error")
        try:
            yield from self.loader
        finally:
            torch.cuda.set_sync_debug_mode("default")


@pytest.fixture(autouse=True)
def waiting_is_allowed_again():
    yield
    if torch.cuda.is_available():
        torch.cuda.set_sync_debug_mode("default")


def warmed_up(device) -> nn.Module:
    """A model that has trained and predicted once, so that its libraries are loaded."""
    model = with_dropout(device)
    rows = Rows(torch.ones(8, 1, device=device), torch.ones(8, 1, device=device))
    train_epoch(model, shuffled(rows), nn.MSELoss(), torch.optim.Adam(model.parameters(), lr=0.0))
    evaluate(model, batches(*rows), nn.MSELoss())
    torch.accelerator.synchronize()
    return model


LOADERS = pytest.mark.parametrize(
    "loader",
    [
        lambda line: batches(*line, batch_size=8),
        shuffled,
        lambda line: pinned(),
        lambda line: pinned(shuffle=True),
    ],
    ids=["batches", "shuffled batches", "pinned DataLoader", "shuffled pinned DataLoader"],
)


@needs_cuda
def test_waiting_for_the_device_would_be_noticed(line):
    with pytest.raises(RuntimeError, match="synchronizing"):
        for features, _ in WithoutWaiting(batches(*line, batch_size=8)):
            features.sum().item()


@needs_cuda
@LOADERS
@pytest.mark.parametrize("optimizer", [torch.optim.SGD, torch.optim.Adam])
def test_training_an_epoch_does_not_wait_for_the_device(device, line, loader, optimizer):
    model = warmed_up(device)
    loss = train_epoch(
        model, WithoutWaiting(loader(line)), nn.MSELoss(), optimizer(model.parameters(), lr=0.01)
    )
    assert math.isfinite(loss)


@needs_cuda
@LOADERS
def test_evaluating_does_not_wait_for_the_device(device, line, loader):
    assert math.isfinite(evaluate(warmed_up(device), WithoutWaiting(loader(line)), nn.MSELoss()))


@needs_cuda
def test_fit_waits_for_the_device_only_between_the_passes_over_the_rows(device, line):
    model = warmed_up(device)
    history = fit(
        model,
        WithoutWaiting(shuffled(line)),
        WithoutWaiting(batches(*line, batch_size=8)),
        loss_function=nn.MSELoss(),
        optimizer=torch.optim.Adam(model.parameters(), lr=0.01),
        epochs=3,
    )
    assert len(history) == 3


# What is on the device stays there, and what is not is brought there.


@pytest.mark.parametrize("shuffle", [False, True])
def test_batches_of_rows_on_the_device_are_on_it(device, line, shuffle):
    for batch in batches(*line, batch_size=8, shuffle=shuffle):
        assert [tensor.device for tensor in batch] == [device] * 2


def test_shuffled_batches_on_the_device_hold_the_rows_in_the_order_of_those_on_the_cpu(line):
    on_the_cpu = Rows(*(tensor.cpu() for tensor in line))
    for there, here in zip(shuffled(line), shuffled(on_the_cpu), strict=True):
        assert torch.equal(there[0].cpu(), here[0])
        assert torch.equal(there[1].cpu(), here[1])


def test_a_split_of_rows_on_the_device_is_on_it(device, line):
    parts = split(*line)
    assert [tensor.device for part in parts for tensor in part] == [device] * 6


def test_a_tensor_on_the_device_is_not_copied_whether_or_not_the_device_has_a_number(device):
    tensor = torch.zeros(2, device=device)
    assert move([tensor], device)[0] is tensor
    assert move([tensor], torch.device(device.type))[0] is tensor


def test_pinned_tensors_arrive_on_the_device_with_their_values(device):
    numbers = torch.arange(1_000_000.0)
    (moved,) = move([numbers.pin_memory()], device)
    assert moved.device == device
    assert torch.equal(moved.cpu(), numbers)


def test_predictions_are_on_the_device_of_the_model(device):
    assert predict(LinearRegression().to(device), torch.zeros(3, 1)).device == device


def test_rows_on_two_devices_are_refused(line):
    with pytest.raises(ValueError, match=r"^features are on .+, labels on cpu: move both to one"):
        batches(line.features, line.labels.cpu())


# fit


def learn_the_line(device, loader) -> LinearRegression:
    torch.manual_seed(0)
    model = LinearRegression().to(device)
    fit(
        model,
        loader,
        loader,
        loss_function=nn.MSELoss(),
        optimizer=sgd(model, lr=0.5),
        epochs=60,
    )
    return model


@pytest.mark.parametrize(
    "loader",
    [
        shuffled,
        lambda line: pinned(),
        lambda line: pinned(num_workers=1, persistent_workers=True),
        lambda line: DataLoader(TensorDataset(*straight_line(64)), batch_size=8),
    ],
    ids=["on the device", "pinned", "pinned, read by a worker", "not pinned"],
)
def test_fit_learns_the_line_on_the_device(device, line, loader):
    model = learn_the_line(device, loader(line))
    assert device_of(model) == device
    assert model.weight.item() == pytest.approx(0.7, abs=1e-3)
    assert model.bias.item() == pytest.approx(0.3, abs=1e-3)


def test_pinning_changes_no_bit_of_what_is_learned(device):
    not_pinned = DataLoader(TensorDataset(*straight_line(64)), batch_size=8)
    model, other = learn_the_line(device, pinned()), learn_the_line(device, not_pinned)
    assert (model.weight.item(), model.bias.item()) == (other.weight.item(), other.bias.item())


def test_the_losses_of_a_model_in_bfloat16_are_averaged_in_full_precision(device):
    labels = torch.tensor([[1.0], [3.0]] * 200 + [[2.0]], dtype=torch.bfloat16, device=device)
    loader = batches(torch.zeros_like(labels), labels, batch_size=1)
    model = nn.Linear(1, 1, bias=False, device=device, dtype=torch.bfloat16)
    assert evaluate(model, loader, nn.L1Loss()) == 2.0


def test_features_that_are_nan_are_refused_with_their_place(device, line):
    features = line.features.clone()
    features[9] = math.nan
    model = LinearRegression().to(device)
    loader = batches(features, line.labels, batch_size=8)
    with pytest.raises(ValueError, match=r"train features are nan .* first at index 9"):
        check_run(model, {"train": loader}, nn.MSELoss(), sgd(model))


class OwnTensor(nn.Module):
    """Keeps a tensor that does not follow the model to its device."""

    def __init__(self, layer, own):
        super().__init__()
        self.layer, self.own = layer, own

    def forward(self, x):
        return self.layer(x + self.own)


@pytest.mark.parametrize("elsewhere", ["own tensor", "layer"])
def test_a_model_on_two_devices_is_refused_and_told_to_move(device, line, elsewhere):
    model = OwnTensor(nn.Linear(1, 1), torch.zeros(1))
    if elsewhere == "own tensor":
        model.layer.to(device)
    else:
        model = nn.Sequential(nn.Linear(1, 1).to(device), nn.Linear(1, 1))
    with pytest.raises(ValueError, match=r"move the model with \.to\(\)") as raised:
        check_run(model, {"train": batches(*line)}, nn.MSELoss(), sgd(model))
    assert "\n" not in str(raised.value)


class DrawsAlways(nn.Linear):
    def forward(self, x):
        return super().forward(x + torch.rand_like(x))


def test_trying_a_run_draws_no_random_numbers_on_the_device(device, line):
    model = DrawsAlways(1, 1, device=device)
    states = torch.get_device_module(device)
    before = states.get_rng_state(device)
    check_run(model, {"train": batches(*line)}, nn.MSELoss(), sgd(model))
    assert torch.equal(states.get_rng_state(device), before)


# Checkpoints


def run_with_dropout(device, *, seed, epochs, **options) -> dict:
    """What a run gave that draws random numbers on the CPU and on the device, down to the bit."""
    torch.manual_seed(seed)  # on every device
    rows = Rows(*(tensor.to(device) for tensor in straight_line(64)))
    model = with_dropout(device)
    loader = batches(*rows, batch_size=8, shuffle=True, generator=seeded(seed))
    history = fit(
        model,
        loader,
        batches(*rows),
        loss_function=nn.MSELoss(),
        optimizer=torch.optim.Adam(model.parameters(), lr=0.05),
        epochs=epochs,
        **options,
    )
    weights = {name: value.tolist() for name, value in model.state_dict().items()}
    return {"history": history.state_dict(), "weights": weights}


def test_a_run_resumed_on_the_device_equals_the_uninterrupted_one_bit_for_bit(device, tmp_path):
    uninterrupted = run_with_dropout(device, seed=1, epochs=6)
    run_with_dropout(device, seed=1, epochs=3, checkpoint=tmp_path)
    resumed = run_with_dropout(device, seed=2, epochs=6, checkpoint=tmp_path, resume=True)
    assert resumed == uninterrupted


def test_a_run_started_on_the_device_is_not_resumed_on_the_cpu(device, tmp_path):
    run_with_dropout(device, seed=1, epochs=1, checkpoint=tmp_path)
    message = f"drew its random numbers on {device.type}, the model is on cpu: "
    with pytest.raises(ValueError, match=message):
        run_with_dropout("cpu", seed=2, epochs=2, checkpoint=tmp_path, resume=True)


def test_a_run_started_on_the_cpu_is_not_resumed_on_the_device(device, tmp_path):
    run_with_dropout("cpu", seed=1, epochs=1, checkpoint=tmp_path)
    message = f"drew its random numbers on cpu, the model is on {device.type}: "
    with pytest.raises(ValueError, match=message):
        run_with_dropout(device, seed=2, epochs=2, checkpoint=tmp_path, resume=True)


def test_a_checkpoint_of_another_device_leaves_the_model_alone(device, tmp_path):
    run_with_dropout(device, seed=1, epochs=1, checkpoint=tmp_path)
    model = with_dropout("cpu")
    before = [parameter.tolist() for parameter in model.parameters()]
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    loader = shuffled(straight_line(64))
    with pytest.raises(ValueError, match="drew its random numbers on"):
        load_checkpoint(
            tmp_path / "last.pt", model, optimizer, History(), generators=generators_of(loader)
        )
    assert [parameter.tolist() for parameter in model.parameters()] == before
    assert not optimizer.state


def test_the_state_of_a_resumed_optimizer_is_on_the_device(device, tmp_path, line):
    def run(epochs, **options) -> torch.optim.Optimizer:
        model = LinearRegression().to(device)
        optimizer = sgd(model, momentum=0.9)
        parts = {"loss_function": nn.MSELoss(), "optimizer": optimizer, "epochs": epochs}
        fit(model, batches(*line), batches(*line), **parts, checkpoint=tmp_path, **options)
        return optimizer

    run(1)
    momenta = [state["momentum_buffer"] for state in run(1, resume=True).state.values()]
    assert [momentum.device for momentum in momenta] == [device] * 2


def test_weights_saved_on_the_device_are_loaded_on_the_cpu(device, tmp_path):
    model, other = LinearRegression().to(device), LinearRegression()
    save_model(model, tmp_path / "line.safetensors")
    load_model(other, tmp_path / "line.safetensors")
    assert device_of(other) == torch.device("cpu")
    assert (other.weight.item(), other.bias.item()) == (model.weight.item(), model.bias.item())
