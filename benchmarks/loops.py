"""Ways to train without another package: loops written by hand, and `torch_workflow.fit`.

Each way takes a task and prepares. It returns what is timed: a function that trains, and returns
the training and the validation loss of every epoch.
"""

from collections.abc import Callable, Iterable
from pathlib import Path

import torch
from tasks import Task
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.data import BatchSampler, DataLoader, RandomSampler, TensorDataset

from torch_workflow import batches, fit

Losses = tuple[list[float], list[float]]
Training = Callable[[], Losses]


def whole(task: Task) -> Training:
    """The loop that page 3 of the course writes: all rows at once."""
    model, loss_function = task.model(), task.loss()
    optimizer = torch.optim.SGD(model.parameters(), lr=task.learning_rate)
    (features, labels), (validation_features, validation_labels) = task.train, task.validation

    def train() -> Losses:
        train_losses, validation_losses = [], []
        for _ in range(task.epochs):
            model.train()
            loss = loss_function(model(features), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            train_losses.append(loss.item())
            model.eval()
            with torch.inference_mode():
                loss = loss_function(model(validation_features), validation_labels)
            validation_losses.append(loss.item())
        return train_losses, validation_losses

    return train


class Slices:
    """Shuffled batches, as one writes them by hand: a permutation, and a slice of it at a time."""

    def __init__(self, features: Tensor, labels: Tensor, batch_size: int) -> None:
        self.features, self.labels, self.batch_size = features, labels, batch_size

    def __iter__(self):
        order = torch.randperm(len(self.features))
        for start in range(0, len(order), self.batch_size):
            chosen = order[start : start + self.batch_size]
            yield self.features[chosen], self.labels[chosen]


def slices(task: Task) -> Training:
    """The loop over batches that are slices of a permutation."""
    return _loop(task, Slices(*task.train, task.batch_size), [task.validation])


def loader(task: Task) -> Training:
    """The loop over a `DataLoader`, which fetches row by row."""
    return _loop(task, *task.loaders())


def loader_of_batches(task: Task) -> Training:
    """The loop over a `DataLoader` that fetches a batch at a time, as PyTorch's reference shows."""
    dataset = TensorDataset(*task.train)
    sampler = BatchSampler(RandomSampler(dataset), task.batch_size, drop_last=False)
    return _loop(task, DataLoader(dataset, sampler=sampler, batch_size=None), [task.validation])


def fit_batches(task: Task) -> Training:
    """`fit` over `batches`."""
    own = batches(*task.train, batch_size=task.batch_size, shuffle=task.shuffle)
    return _fit(task, own, batches(*task.validation))


def fit_loader(task: Task) -> Training:
    """`fit` over a `DataLoader`."""
    return _fit(task, *task.loaders())


def fit_checkpoint(task: Task, folder: Path) -> Training:
    """`fit` over `batches`, with a checkpoint after each epoch in a new folder."""
    own = batches(*task.train, batch_size=task.batch_size, shuffle=task.shuffle)
    return _fit(task, own, batches(*task.validation), checkpoint=folder)


def _loop(task: Task, loader: Iterable, validation_loader: Iterable) -> Training:
    model, loss_function = task.model(), task.loss()
    optimizer = torch.optim.SGD(model.parameters(), lr=task.learning_rate)

    def train() -> Losses:
        train_losses, validation_losses = [], []
        for _ in range(task.epochs):
            train_losses.append(train_epoch(model, loader, loss_function, optimizer))
            validation_losses.append(evaluate(model, validation_loader, loss_function))
        return train_losses, validation_losses

    return train


def train_epoch(
    model: nn.Module, loader: Iterable, loss_function: nn.Module, optimizer: Optimizer
) -> float:
    """The loop that exercise 3 on page 3 writes: an epoch, and its mean loss over rows."""
    model.train()
    total, rows = 0.0, 0
    for features, labels in loader:
        loss = loss_function(model(features), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(labels)
        rows += len(labels)
    return total / rows


def evaluate(model: nn.Module, loader: Iterable, loss_function: nn.Module) -> float:
    """The mean loss over the rows of a loader."""
    model.eval()
    total, rows = 0.0, 0
    with torch.inference_mode():
        for features, labels in loader:
            total += loss_function(model(features), labels).item() * len(labels)
            rows += len(labels)
    return total / rows


def _fit(
    task: Task, train: Iterable, validation: Iterable, checkpoint: Path | None = None
) -> Training:
    model, loss_function = task.model(), task.loss()
    optimizer = torch.optim.SGD(model.parameters(), lr=task.learning_rate)

    def run() -> Losses:
        history = fit(
            model,
            train,
            validation,
            loss_function=loss_function,
            optimizer=optimizer,
            epochs=task.epochs,
            checkpoint=checkpoint,
        )
        return history.train_loss, history.validation_loss

    return run
