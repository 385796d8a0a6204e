"""Stage 3: the training loop, the evaluation loop, and both together for many epochs."""

import math
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from torch_workflow.devices import device_of, move
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

    def state_dict(self) -> dict[str, list[float]]:
        """The lists by name, for a checkpoint."""
        return asdict(self)

    def load_state_dict(self, state: dict[str, list[float]]) -> None:
        """Take the lists of a checkpoint."""
        for name, values in state.items():
            setattr(self, name, values)


def train_epoch(
    model: nn.Module, batches: BatchLoader, loss_function: LossFunction, optimizer: Optimizer
) -> float:
    """Take every batch once and update the model after each.

    Args:
        model: The model to train; it is put into training mode.
        batches: Pairs of features and labels, moved to the model's device.
        loss_function: From predictions and labels to a scalar, the mean over the rows of a batch.
        optimizer: Holds the model's parameters.

    Returns:
        The loss, averaged over rows, so that a shorter last batch counts for less.
    """
    model.train()
    device = device_of(model)
    total, rows = torch.zeros((), device=device), 0
    for batch in batches:
        features, labels = move(batch, device)
        predictions = model(features)
        loss = loss_function(predictions, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.detach() * len(labels)
        rows += len(labels)
    return total.item() / rows


def evaluate(model: nn.Module, batches: BatchLoader, loss_function: LossFunction) -> float:
    """The loss of the model as it is, with nothing updated.

    Args:
        model: The model to judge; it is put into evaluation mode.
        batches: Pairs of features and labels, moved to the model's device.
        loss_function: From predictions and labels to a scalar, the mean over the rows of a batch.

    Returns:
        The loss, averaged over rows.
    """
    model.eval()
    device = device_of(model)
    total, rows = torch.zeros((), device=device), 0
    with torch.inference_mode():
        for batch in batches:
            features, labels = move(batch, device)
            total += loss_function(model(features), labels) * len(labels)
            rows += len(labels)
    return total.item() / rows


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

    Args:
        model: The model to train, in place.
        train: Batches to learn from.
        validation: Batches to judge by.
        loss_function: From predictions and labels to a scalar, the mean over the rows of a batch.
        optimizer: Holds the model's parameters.
        epochs: How many epochs the history has at the end, those of a resumed run included.
        scheduler: Changes the learning rate; stepped once after each epoch.
        patience: Stop after this many epochs in a row without a new lowest validation loss. The
            model keeps its last weights; those of the best epoch are in the checkpoint folder.
        checkpoint: A folder that keeps `last.pt`, all that is needed to go on, and
            `best.safetensors`, the weights with the lowest validation loss, written after each
            epoch.
        resume: Go on from the checkpoint where there is one.
        progress: Show a progress bar, in a terminal or a notebook (needs tqdm).

    Returns:
        The losses and the learning rate of each epoch.

    Raises:
        ValueError: `epochs` or `patience` is below 1, or `resume` has no checkpoint folder.
        FileExistsError: The folder holds a checkpoint and `resume` is false.
    """
    history = History()
    generator = getattr(train, "generator", None)
    last = _last_checkpoint(checkpoint, epochs, patience, resume)
    if last is not None and last.exists():
        load_checkpoint(last, model, optimizer, history, scheduler=scheduler, generator=generator)
    for _ in _show_progress(range(len(history), epochs), progress):
        if patience is not None and len(history) - history.best_epoch >= patience:
            break
        history.learning_rate.append(float(optimizer.param_groups[0]["lr"]))
        history.train_loss.append(train_epoch(model, train, loss_function, optimizer))
        history.validation_loss.append(evaluate(model, validation, loss_function))
        if scheduler is not None:
            scheduler.step()
        if last is not None:
            if history.best_epoch == len(history):
                save_model(model, last.with_name("best.safetensors"))
            save_checkpoint(
                last, model, optimizer, history, scheduler=scheduler, generator=generator
            )
    return history


def _last_checkpoint(
    folder: str | Path | None, epochs: int, patience: int | None, resume: bool
) -> Path | None:
    if epochs < 1:
        raise ValueError(f"epochs is {epochs}: train for at least 1")
    if patience is not None and patience < 1:
        raise ValueError(f"patience is {patience}: wait for at least 1 epoch, or leave it out")
    if folder is None:
        if resume:
            raise ValueError(
                "resume is true and checkpoint is None: name the folder to resume from"
            )
        return None
    last = Path(folder) / "last.pt"
    if last.exists() and not resume:
        raise FileExistsError(
            f"{folder} holds the checkpoint of an earlier run: "
            "pass resume=True to go on from it, or name another folder"
        )
    last.parent.mkdir(parents=True, exist_ok=True)
    return last


def _show_progress(epochs: range, show: bool) -> Iterable[int]:
    if not show:
        return epochs
    from tqdm.auto import tqdm

    bar: Iterable[int] = tqdm(epochs, desc="training", unit="epoch")
    return bar
