"""Stage 1: points on a line, the three parts they are split into, and batches of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor


class Rows(NamedTuple):
    """Features and labels that belong together: row i of one goes with row i of the other.

    Attributes:
        features: `(rows, ...)`.
        labels: `(rows, ...)`.

    Examples:
        >>> from torch_workflow import straight_line
        >>> rows = straight_line(50)
        >>> rows.features.shape, rows.labels.shape
        (torch.Size([50, 1]), torch.Size([50, 1]))
    """

    features: Tensor
    labels: Tensor


class Split(NamedTuple):
    """The three parts of a data set.

    Attributes:
        train: The rows to learn from.
        validation: The rows to choose by.
        test: The rows to judge by, once.

    Examples:
        >>> from torch_workflow import split, straight_line
        >>> parts = split(*straight_line(50), test=0.1)
        >>> len(parts.train.labels), len(parts.test.labels)
        (35, 5)
    """

    train: Rows
    validation: Rows
    test: Rows


def straight_line(
    count: int = 50,
    *,
    weight: float = 0.7,
    bias: float = 0.3,
    noise: float = 0.0,
    generator: torch.Generator | None = None,
) -> Rows:
    """Points on the line `label = weight * feature + bias`.

    Args:
        count: How many points; the features run from 0 up to, but not including, 1 in equal steps.
        weight: The slope of the line.
        bias: The label where the feature is 0.
        noise: Standard deviation of the normal noise added to each label, in units of the label.
        generator: The source of the noise, on the CPU; the global one when left out.

    Returns:
        Features and labels, each `(count, 1)` and float32.

    Raises:
        ValueError: `count` is below 1, or `noise` is negative.

    Examples:
        >>> from torch_workflow import straight_line
        >>> features, labels = straight_line(4)
        >>> labels
        tensor([[0.3000],
                [0.4750],
                [0.6500],
                [0.8250]])
    """
    if count < 1:
        raise ValueError(f"count is {count}: a line needs at least 1 point")
    if noise < 0:
        raise ValueError(f"noise is {noise}: a standard deviation is 0 or more")
    features = (torch.arange(count) / count).unsqueeze(1)
    labels = weight * features + bias
    if noise > 0:
        labels = labels + noise * torch.randn(labels.shape, generator=generator)
    return Rows(features, labels)


def split(
    features: Tensor,
    labels: Tensor,
    *,
    validation: float = 0.2,
    test: float = 0.2,
    generator: torch.Generator | None = None,
) -> Split:
    """Shuffle the rows once and cut them into train, validation and test.

    Args:
        features: `(rows, ...)`.
        labels: `(rows, ...)`, in the same order and on the same device.
        validation: Fraction of the rows to put into the validation set, rounded to whole rows.
        test: Fraction of the rows to put into the test set, rounded to whole rows.
        generator: The source of the shuffle, on the CPU; the global one when left out.

    Returns:
        Train, validation and test, each a pair of features and labels on the device of the input.

    Raises:
        ValueError: Features and labels differ in length, or a part would be left without rows, as
            with a fraction of 0.

    Examples:
        >>> from torch import Generator
        >>> from torch_workflow import split, straight_line
        >>> seeded = Generator().manual_seed(42)
        >>> train, validation, test = split(
        ...     *straight_line(50), generator=seeded
        ... )
        >>> len(train.labels), len(validation.labels), len(test.labels)
        (30, 10, 10)
    """
    rows = len(features)
    if rows != len(labels):
        raise ValueError(f"features have {rows} rows, labels {len(labels)}: one label for each row")
    validation_rows, test_rows = round(validation * rows), round(test * rows)
    sizes = [rows - validation_rows - test_rows, validation_rows, test_rows]
    if min(sizes) < 1:
        raise ValueError(
            f"{rows} rows cut into train, validation and test of {sizes}: "
            "each part needs at least 1 row, so choose other fractions or bring more rows"
        )
    order = torch.randperm(rows, generator=generator).to(features.device)
    return Split(*(Rows(features[part], labels[part]) for part in order.split(sizes)))


@dataclass(frozen=True, eq=False)
class Batches:
    """Pairs of features and labels, a batch at a time, as often as you iterate over it.

    The tensors stay where they are: on their device, without a copy until a batch is cut. Make it
    with `batches`, which checks its arguments.

    Attributes:
        features: `(rows, ...)`.
        labels: `(rows, ...)`, in the same order.
        batch_size: Rows in a batch; the last batch of an epoch may have fewer.
        shuffle: Whether each epoch takes the rows in a new random order.
        generator: The source of that order, on the CPU; the global one where it is None.

    Examples:
        >>> from torch_workflow import batches, straight_line
        >>> loader = batches(*straight_line(50), batch_size=20)
        >>> len(loader), loader.batch_size
        (3, 20)
    """

    features: Tensor
    labels: Tensor
    batch_size: int
    shuffle: bool
    generator: torch.Generator | None

    def __len__(self) -> int:
        """How many batches an epoch has, the last and perhaps shorter one included."""
        return -(-len(self.features) // self.batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        rows = len(self.features)
        if self.shuffle:
            pin = self.features.is_cuda  # so that the copy to the GPU does not make Python wait
            order = torch.randperm(rows, generator=self.generator, pin_memory=pin)
            order = order.to(self.features.device, non_blocking=pin)
            for chosen in order.split(self.batch_size):
                yield self.features[chosen], self.labels[chosen]
        elif self.batch_size >= rows:
            yield self.features, self.labels
        else:
            for start in range(0, rows, self.batch_size):
                end = start + self.batch_size
                yield self.features[start:end], self.labels[start:end]


def batches(
    features: Tensor,
    labels: Tensor,
    *,
    batch_size: int | None = None,
    shuffle: bool = False,
    generator: torch.Generator | None = None,
) -> Batches:
    """Batches of tensors that are already in memory, without the cost of a `DataLoader`.

    Args:
        features: `(rows, ...)`.
        labels: `(rows, ...)`, in the same order and on the same device.
        batch_size: Rows in a batch; all rows at once when left out.
        shuffle: Whether each epoch takes the rows in a new random order.
        generator: The source of that order, on the CPU; the global one when left out.

    Returns:
        An object that gives pairs of features and labels, `batch_size` rows each, the last perhaps
        fewer. Iterate over it once for each epoch.

    Raises:
        ValueError: Features and labels differ in length or device, there are no rows, or
            `batch_size` is below 1.

    Examples:
        >>> from torch_workflow import batches, straight_line
        >>> loader = batches(*straight_line(50), batch_size=20)
        >>> [len(labels) for features, labels in loader]
        [20, 20, 10]
    """
    rows = len(features)
    if rows != len(labels):
        raise ValueError(f"features have {rows} rows, labels {len(labels)}: one label for each row")
    if rows == 0:
        raise ValueError("features have 0 rows: batches need at least 1")
    if features.device != labels.device:
        raise ValueError(
            f"features are on {features.device}, labels on {labels.device}: "
            "move both to one device with .to()"
        )
    if batch_size is not None and batch_size < 1:
        raise ValueError(f"batch_size is {batch_size}: a batch has at least 1 row")
    return Batches(features, labels, batch_size or rows, shuffle, generator)
