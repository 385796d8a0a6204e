"""Stage 3: the training loop, the evaluation loop, and both together for many epochs."""

import math
import operator
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from numbers import Integral
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from torch_workflow.checks import check_resumable, check_run
from torch_workflow.devices import device_of, move
from torch_workflow.randomness import generators_of
from torch_workflow.saving import load_checkpoint, save_checkpoint, save_model

LossFunction = Callable[[Tensor, Tensor], Tensor]
BatchLoader = Iterable[tuple[Tensor, Tensor] | list[Tensor]]


@dataclass
class History:
    """What each epoch gave: three lists with one number for each epoch.

    Attributes:
        train_loss: Mean over the training rows, each taken just before the update it led to.
        validation_loss: Mean over the validation rows, after the epoch's last update.
        learning_rate: The optimizer's learning rate (of its first group) during the epoch.

    Examples:
        >>> from torch_workflow import History
        >>> history = History()
        >>> history.append(0.5, 0.4, learning_rate=0.1)
        >>> history.append(0.2, 0.3, learning_rate=0.1)
        >>> len(history), history.best_epoch
        (2, 2)
    """

    train_loss: list[float] = field(default_factory=list)
    validation_loss: list[float] = field(default_factory=list)
    learning_rate: list[float] = field(default_factory=list)

    def __len__(self) -> int:
        """How many epochs have been trained."""
        return len(self.train_loss)

    @property
    def best_epoch(self) -> int:
        """The first epoch, counted from 1, with the lowest validation loss; 0 before any epoch."""
        losses = [math.inf if math.isnan(loss) else loss for loss in self.validation_loss]
        return 1 + losses.index(min(losses)) if losses else 0

    def append(self, train_loss: float, validation_loss: float, learning_rate: float) -> None:
        """Add an epoch."""
        self.train_loss.append(train_loss)
        self.validation_loss.append(validation_loss)
        self.learning_rate.append(learning_rate)

    def state_dict(self) -> dict[str, list[float]]:
        """The lists by name, for a checkpoint."""
        return {name: list(values) for name, values in vars(self).items()}

    def load_state_dict(self, state: dict[str, list[float]]) -> None:
        """Replace the lists by those of a checkpoint."""
        vars(self).update({name: list(state[name]) for name in vars(self)})


class DivergenceError(FloatingPointError):
    """A loss became nan or infinite.

    Attributes:
        history: The epochs before the one in which it did; empty if that was the first.

    Examples:
        >>> from torch import nn, optim
        >>> from torch_workflow import DivergenceError, batches, fit, straight_line
        >>> model, data = nn.Linear(1, 1), batches(*straight_line())
        >>> optimizer = optim.SGD(model.parameters(), lr=10)
        >>> try:
        ...     fit(
        ...         model, data, data, loss_function=nn.MSELoss(),
        ...         optimizer=optimizer, epochs=100,
        ...     )
        ... except DivergenceError as error:
        ...     print(len(error.history) < 100)
        True
    """

    def __init__(self, message: str, history: History | None = None) -> None:
        super().__init__(message)
        self.history = history or History()


def train_epoch(
    model: nn.Module,
    batches: BatchLoader,
    loss_function: LossFunction,
    optimizer: Optimizer,
    *,
    device: torch.device | None = None,
) -> float:
    """Take every batch once and update the model after each.

    Args:
        model: The model to train; it is put into training mode.
        batches: Pairs of features and labels, moved to the model's device.
        loss_function: From predictions and labels to a scalar, the mean over the rows of a batch.
        optimizer: Holds the model's parameters.
        device: Where the model is; looked up when left out.

    Returns:
        The loss, averaged over rows, so that a shorter last batch counts for less. It may be nan
        or infinite: `fit` is what raises `DivergenceError`.

    Raises:
        ValueError: There was no batch.

    Examples:
        >>> import torch
        >>> from torch import nn
        >>> from torch_workflow import batches, straight_line, train_epoch
        >>> _ = torch.manual_seed(42)
        >>> model, train = nn.Linear(1, 1), batches(*straight_line())
        >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        >>> losses = [
        ...     train_epoch(model, train, nn.MSELoss(), optimizer)
        ...     for _ in range(3)
        ... ]
        >>> [round(loss, 4) for loss in losses]
        [0.3158, 0.1779, 0.1007]
    """
    model.train()
    device = device or device_of(model)
    losses, sizes = [], []
    for batch in batches:
        features, labels = move(batch, device)
        predictions = model(features)
        loss = loss_function(predictions, labels)
        clear_gradients(optimizer)
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
        sizes.append(len(labels))
    return _mean_over_rows(losses, sizes)


def evaluate(
    model: nn.Module,
    batches: BatchLoader,
    loss_function: LossFunction,
    *,
    device: torch.device | None = None,
) -> float:
    """The loss of the model as it is, with nothing updated.

    Args:
        model: The model to judge; it is put into evaluation mode and stays there.
        batches: Pairs of features and labels, moved to the model's device.
        loss_function: From predictions and labels to a scalar, the mean over the rows of a batch.
        device: Where the model is; looked up when left out.

    Returns:
        The loss, averaged over rows; it may be nan or infinite.

    Raises:
        ValueError: There was no batch.

    Examples:
        >>> from torch import nn
        >>> from torch_workflow import batches, evaluate, straight_line
        >>> validation = batches(*straight_line())
        >>> loss = evaluate(nn.Identity(), validation, nn.L1Loss())
        >>> round(loss, 4)
        0.153
    """
    model.eval()
    device = device or device_of(model)
    losses, sizes = [], []
    with torch.inference_mode():
        for batch in batches:
            features, labels = move(batch, device)
            losses.append(loss_function(model(features), labels))
            sizes.append(len(labels))
    return _mean_over_rows(losses, sizes)


def clear_gradients(optimizer: Optimizer) -> None:
    """Do what `optimizer.zero_grad()` does, without the entry that it makes for the profiler.

    Args:
        optimizer: The gradients of its parameters are set to None.

    Examples:
        >>> import torch
        >>> from torch_workflow import clear_gradients
        >>> model = torch.nn.Linear(1, 1)
        >>> model(torch.ones(1, 1)).backward()
        >>> clear_gradients(torch.optim.SGD(model.parameters()))
        >>> print(model.weight.grad)
        None
    """
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            parameter.grad = None


def fit(
    model: nn.Module,
    train: BatchLoader,
    validation: BatchLoader,
    *,
    loss_function: LossFunction,
    optimizer: Optimizer,
    epochs: int,
    scheduler: LRScheduler | None = None,
    patience: int | None = None,
    checkpoint: str | Path | None = None,
    resume: bool = False,
    progress: bool = False,
) -> History:
    """Train for a number of epochs and evaluate after each.

    Model, data, loss function and optimizer are tried on the first batches before the first epoch.

    Args:
        model: The model to train, in place; it is in evaluation mode afterwards.
        train: Batches to learn from.
        validation: Batches to judge by.
        loss_function: From predictions and labels to a scalar, the mean over the rows of a batch.
        optimizer: Holds the model's parameters.
        epochs: How many epochs the history has at the end, those of a resumed run included.
        scheduler: Changes the learning rate; stepped once after each epoch, with the validation
            loss if it asks for a metric.
        patience: Stop after this many epochs in a row without a new lowest validation loss. The
            model keeps its last weights; a `checkpoint` folder keeps those of the best epoch.
        checkpoint: A folder that keeps two files: `last.pt`, all that is needed to go on, written
            after each epoch, and `best.safetensors`, the weights with the lowest validation loss.
        resume: Go on from the checkpoint if there is one, else start. On the same machine and
            versions the bits are those of a run without a stop.
        progress: Show a progress bar, in a terminal or a notebook (needs tqdm).

    Returns:
        The losses and the learning rate of each epoch.

    Raises:
        ValueError: An argument makes no sense or does not fit the others, a loader has no rows,
            the data holds nan or infinite values, or the checkpoint is damaged, of another run, or
            has more than `epochs` epochs. Nothing was trained.
        OSError: The checkpoint could not be written or read.
        FileExistsError: The folder holds a checkpoint and `resume` is false.
        DivergenceError: A loss became nan or infinite; the checkpoint is that of the epoch before.

    Examples:
        >>> import torch
        >>> from torch import nn
        >>> from torch_workflow import batches, fit, split, straight_line
        >>> _ = torch.manual_seed(42)
        >>> train, validation, test = split(*straight_line())
        >>> model = nn.Linear(1, 1)
        >>> history = fit(
        ...     model,
        ...     batches(*train),
        ...     batches(*validation),
        ...     loss_function=nn.MSELoss(),
        ...     optimizer=torch.optim.SGD(model.parameters(), lr=0.1),
        ...     epochs=1000,
        ... )
        >>> round(model.weight.item(), 2), round(model.bias.item(), 2)
        (0.7, 0.3)
    """
    loaders = {"train": train, "validation": validation}
    _check_arguments(epochs, patience, checkpoint, resume)
    if checkpoint is not None:
        check_resumable(model, loaders, optimizer)
    check_run(model, loaders, loss_function, optimizer)
    history, device, last = History(), device_of(model), None
    parts: dict[str, Any] = {"scheduler": scheduler, "generators": generators_of(train, validation)}
    if checkpoint is not None:
        last = Path(checkpoint, "last.pt")
        last.parent.mkdir(parents=True, exist_ok=True)
        if last.exists():
            load_checkpoint(last, model, optimizer, history, **parts)
    _check_epochs_left(epochs, history)
    best = history.best_epoch
    for epoch in _show_progress(range(len(history) + 1, epochs + 1), progress):
        if patience is not None and epoch - best > patience:
            break
        rate = float(optimizer.param_groups[0]["lr"])
        train_loss = train_epoch(model, train, loss_function, optimizer, device=device)
        validation_loss = evaluate(model, validation, loss_function, device=device)
        _check_losses(epoch, train_loss, validation_loss, history)
        history.append(train_loss, validation_loss, rate)
        if isinstance(scheduler, ReduceLROnPlateau):
            scheduler.step(validation_loss)
        elif scheduler is not None:
            scheduler.step()
        if best == 0 or validation_loss < history.validation_loss[best - 1]:
            best = epoch
        if last is not None:
            if best == epoch:
                save_model(model, last.with_name("best.safetensors"))
            save_checkpoint(last, model, optimizer, history, **parts)
    return history


def _mean_over_rows(losses: list[Tensor], sizes: list[int]) -> float:
    if not losses:
        raise ValueError("there was no batch: give the loader at least one row")
    if len(losses) == 1:
        return float(losses[0].item())  # stacking one costs a small model a tenth of its time
    values: list[float] = torch.stack(losses).flatten().tolist()
    total: float = sum(map(operator.mul, values, sizes))
    return total / sum(sizes)


def _check_arguments(
    epochs: int, patience: int | None, folder: str | Path | None, resume: bool
) -> None:
    for name, value, unit in (("epochs", epochs, "train for"), ("patience", patience, "wait for")):
        if value is not None and (not isinstance(value, Integral) or value < 1):
            raise ValueError(f"{name} is {value}: {unit} a whole number of epochs, at least 1")
    if folder is None and resume:
        raise ValueError("resume is true and checkpoint is None: name the folder to resume from")
    if folder is not None and not resume and Path(folder, "last.pt").exists():
        raise FileExistsError(
            f"{folder} holds the checkpoint of an earlier run: "
            "pass resume=True to go on from it, or name another folder"
        )


def _check_epochs_left(epochs: int, history: History) -> None:
    if epochs < len(history):
        raise ValueError(
            f"epochs is {epochs}, and the checkpoint has {len(history)} epochs: "
            "epochs counts those before the stop too, so ask for more"
        )


def _check_losses(epoch: int, train: float, validation: float, history: History) -> None:
    if math.isfinite(train) and math.isfinite(validation):
        return
    name, loss = ("validation", validation) if math.isfinite(train) else ("training", train)
    raise DivergenceError(
        f"the {name} loss is {loss} in epoch {epoch}: start again from a fresh model with a "
        "smaller learning rate, and if that does not help, look for nan in the data",
        history,
    )


def _show_progress(epochs: range, show: bool) -> Iterable[int]:
    if not show:
        return epochs
    from tqdm.auto import tqdm

    bar: Iterable[int] = tqdm(epochs, desc="training", unit="epoch")
    return bar
