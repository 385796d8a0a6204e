"""Stage 2: the course's model, written so that you see inside it."""

import torch
from torch import Tensor, nn


class LinearRegression(nn.Module):
    """A straight line, `weight * x + bias`, with both numbers learned.

    It computes what `torch.nn.Linear(1, 1)` computes, with its two parameters spelled out. Its
    weight has shape `(1,)` instead of `(1, 1)`, so a file of one does not load into the other.

    Examples:
        >>> import torch
        >>> from torch_workflow import LinearRegression
        >>> _ = torch.manual_seed(42)
        >>> model = LinearRegression()
        >>> dict(model.state_dict())
        {'weight': tensor([0.3367]), 'bias': tensor([0.1288])}
    """

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(1))
        self.bias = nn.Parameter(torch.randn(1))

    def forward(self, x: Tensor) -> Tensor:
        """Predict a label for each row: `(rows, 1)` in, `(rows, 1)` out."""
        return self.weight * x + self.bias
