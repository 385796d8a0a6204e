"""The course's figures. Matplotlib (the extra `plot`) is imported when one is drawn.

Every function draws on the axes it is given, or on a new figure, and returns the axes. Tensors may
be on any device and need no `detach`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from torch_workflow.training import History, LossFunction

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TensorPair = tuple[Tensor, Tensor]


def plot_data(
    train: TensorPair,
    validation: TensorPair | None = None,
    test: TensorPair | None = None,
    *,
    predictions: TensorPair | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the points of each part, and what a model predicts.

    Args:
        train: Features and labels, `(rows, 1)` each.
        validation: The same for the validation set.
        test: The same for the test set.
        predictions: Features and what the model says of them, `(rows, 1)` each, drawn as a line.
        ax: Where to draw; a new figure when left out.

    Returns:
        The axes that were drawn on.

    Examples:
        >>> from torch_workflow import plot_data, split, straight_line
        >>> ax = plot_data(*split(*straight_line()))
        >>> [line.get_label() for line in ax.lines]
        ['train', 'validation', 'test']
    """
    ax = _axes(ax)
    parts = (("train", train, "o"), ("validation", validation, "s"), ("test", test, "^"))
    for color, (name, part, marker) in enumerate(parts):
        if part is not None:
            ax.plot(*map(_column, part), marker, color=f"C{color}", markersize=5, label=name)
    if predictions is not None:
        features, predicted = map(_column, predictions)
        order = features.argsort()
        ax.plot(features[order], predicted[order], color="C3", linewidth=2, label="prediction")
    ax.set(xlabel="feature", ylabel="label")
    ax.legend()
    return ax


def plot_losses(history: History, *, baseline: float | None = None, ax: Axes | None = None) -> Axes:
    """Draw the training and validation loss of every epoch, on a logarithmic scale.

    Args:
        history: What `fit` returned.
        baseline: A loss to beat, drawn as a level line, in the unit of the losses.
        ax: Where to draw; a new figure when left out.

    Returns:
        The axes that were drawn on.

    Examples:
        >>> from torch_workflow import History, plot_losses
        >>> history = History([0.5, 0.2], [0.4, 0.3], [0.1, 0.1])
        >>> ax = plot_losses(history, baseline=0.35)
        >>> [line.get_label() for line in ax.lines]
        ['train', 'validation', 'baseline']
    """
    ax = _axes(ax)
    epochs = range(1, len(history) + 1)
    ax.plot(epochs, history.train_loss, "-", color="C0", label="train")
    ax.plot(epochs, history.validation_loss, "--", color="C1", label="validation")
    if baseline is not None:
        ax.axhline(baseline, color="C7", linestyle=":", label="baseline")
    ax.set(xlabel="epoch", ylabel="loss", yscale="log")
    ax.legend()
    return ax


def plot_residuals(
    features: Tensor, labels: Tensor, predictions: Tensor, *, ax: Axes | None = None
) -> Axes:
    """Draw how far each label lies above (or below) its prediction.

    Args:
        features: `(rows, 1)`.
        labels: `(rows, 1)`.
        predictions: `(rows, 1)`, in the same order.
        ax: Where to draw; a new figure when left out.

    Returns:
        The axes that were drawn on.

    Examples:
        >>> from torch_workflow import plot_residuals, straight_line
        >>> features, labels = straight_line(10)
        >>> ax = plot_residuals(features, labels, predictions=features)
        >>> ax.get_xlabel(), ax.get_ylabel()
        ('feature', 'label − prediction')
    """
    ax = _axes(ax)
    ax.axhline(0, color="C7", linewidth=1)
    ax.stem(
        _column(features),
        _column(labels) - _column(predictions),
        linefmt="C0-",
        markerfmt="C0o",
        basefmt=" ",
    )
    ax.set(xlabel="feature", ylabel="label − prediction")
    return ax


def plot_loss_surface(
    features: Tensor,
    labels: Tensor,
    loss_function: LossFunction,
    *,
    weights: tuple[float, float] = (-0.5, 1.5),
    biases: tuple[float, float] = (-0.5, 1.5),
    path: Sequence[tuple[float, float]] = (),
    ax: Axes | None = None,
) -> Axes:
    """Draw the loss of every line `weight * x + bias` as a map, and the way a model took across it.

    Args:
        features: `(rows, 1)`.
        labels: `(rows, 1)`.
        loss_function: From predictions and labels to a scalar.
        weights: The range of weights to draw, on the horizontal axis.
        biases: The range of biases to draw, on the vertical axis.
        path: The `(weight, bias)` of each step, first to last.
        ax: Where to draw; a new figure when left out.

    Returns:
        The axes that were drawn on.

    Raises:
        ValueError: The loss of some line is nan or infinite.

    Examples:
        >>> from torch import nn
        >>> from torch_workflow import plot_loss_surface, straight_line
        >>> steps = [(0.0, 0.0), (0.5, 0.5), (0.7, 0.3)]
        >>> ax = plot_loss_surface(
        ...     *straight_line(), nn.L1Loss(), path=steps
        ... )
        >>> ax.get_xlabel(), ax.get_ylabel()
        ('weight', 'bias')
    """
    from matplotlib.colors import PowerNorm

    grid_weights, grid_biases = torch.linspace(*weights, 61), torch.linspace(*biases, 61)
    features, labels = features.detach().cpu(), labels.detach().cpu()
    losses = torch.tensor(
        [[loss_function(w * features + b, labels) for w in grid_weights] for b in grid_biases]
    )
    if not losses.isfinite().all():
        raise ValueError(
            f"the loss is nan or infinite at {int((~losses.isfinite()).sum())} of "
            f"{losses.numel()} points of the map: choose other weights and biases"
        )
    ax = _axes(ax)
    # Levels lie closer together near the lowest loss, where a straight scale would show one color.
    span = (losses.max() - losses.min()).item() or 1.0
    levels = losses.min() + span * torch.linspace(0, 1, 13) ** 2
    surface = ax.contourf(
        grid_weights, grid_biases, losses, levels=levels, cmap="viridis", norm=PowerNorm(0.5)
    )
    decimals = max(2, 2 - math.floor(math.log10(span)))
    ax.figure.colorbar(surface, ax=ax, label="loss", format=f"%.{decimals}f")
    if path:
        every = max(1, len(path) // 12)
        ax.plot(
            *zip(*path, strict=True),
            "o-",
            color="white",
            markersize=3,
            linewidth=1,
            markevery=every,
        )
        ax.plot(*path[-1], "*", color="white", markersize=12)
    ax.set(xlabel="weight", ylabel="bias")
    return ax


def _axes(ax: Axes | None) -> Axes:
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots()[1]


def _column(values: Tensor) -> Tensor:
    return values.detach().cpu().squeeze(1)
