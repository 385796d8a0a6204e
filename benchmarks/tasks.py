"""What every tool learns: two small regressions, each with its data, its model and its settings."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


@dataclass(frozen=True)
class Task:
    """A regression that any of the tools can be given."""

    sizes: tuple[int, ...]  # of the layers, from features to labels
    loss: type[nn.Module]
    learning_rate: float  # of plain SGD
    train: tuple[Tensor, Tensor]
    validation: tuple[Tensor, Tensor]
    batch_size: int
    shuffle: bool
    epochs: int
    tolerance: float  # how far apart two tools may end, relative to the smaller validation loss

    def model(self) -> nn.Module:
        """The model with its initial weights, the same in every call."""
        torch.manual_seed(42)
        layers: list[nn.Module] = []
        for inputs, outputs in zip(self.sizes, self.sizes[1:], strict=False):
            layers += [nn.Linear(inputs, outputs), nn.ReLU()]
        return layers[0] if len(self.sizes) == 2 else nn.Sequential(*layers[:-1])

    def loaders(self) -> tuple[DataLoader, DataLoader]:
        """Training and validation batches by way of `DataLoader`."""
        torch.manual_seed(42)
        train = DataLoader(TensorDataset(*self.train), self.batch_size, shuffle=self.shuffle)
        return train, DataLoader(TensorDataset(*self.validation), self.batch_size)

    def smaller(self) -> "Task":
        """The same with less work, to get imports and first calls out of the way."""
        rows = tuple(part[: 2 * self.batch_size] for part in self.train)
        return replace(self, train=rows, epochs=min(self.epochs, 50))


def line(epochs: int = 1000) -> Task:
    """40 points on a line and 10 to validate with, all at once."""
    features = (torch.arange(50) / 50).unsqueeze(1)
    labels = 0.7 * features + 0.3
    order = torch.randperm(50, generator=torch.Generator().manual_seed(42))
    train, validation = ((features[part], labels[part]) for part in order.split([40, 10]))
    return Task((1, 1), nn.L1Loss, 0.01, train, validation, 40, False, epochs, 0.01)


def rows(count: int = 1_000_000) -> Task:
    """Rows of 20 numbers, in shuffled batches of 1024, once; 1000 more rows to validate with."""
    generator = torch.Generator().manual_seed(42)
    features = torch.randn(count + 1000, 20, generator=generator)
    labels = features[:, :4].sin().sum(1, keepdim=True) + features[:, 4:5] * features[:, 5:6]
    train, validation = (
        (features[part], labels[part]) for part in (slice(count), slice(count, None))
    )
    return Task((20, 64, 64, 1), nn.MSELoss, 0.02, train, validation, 1024, True, 1, 0.05)


TASKS = {"line": line, "rows": rows}
