"""Stage 4: what a trained model says about rows that it has not seen."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from torch_workflow.devices import device_of


def predict(model: nn.Module, features: Tensor) -> Tensor:
    """Predict a label for each row, without recording anything for gradients.

    The model is in evaluation mode while it predicts; afterwards each of its modules is back in the
    mode it was in.

    Args:
        model: Any module that takes `features`.
        features: `(rows, ...)`, on any device.

    Returns:
        Predictions, `(rows, ...)` as the model makes them, on the model's device. They are
        inference tensors: `.clone()` them before you compute gradients with them.

    Examples:
        >>> import torch
        >>> from torch_workflow import LinearRegression, predict
        >>> _ = torch.manual_seed(42)
        >>> predict(LinearRegression(), torch.tensor([[0.0], [1.0]]))
        tensor([[0.1288],
                [0.4655]])
    """
    with evaluation_mode(model), torch.inference_mode():
        predictions: Tensor = model(features.to(device_of(model)))
    return predictions


@contextmanager
def evaluation_mode(model: nn.Module) -> Iterator[None]:
    """Put a model into evaluation mode, and each of its modules back into its own afterwards.

    Args:
        model: In evaluation mode inside the `with` block; gradients are still recorded there.

    Examples:
        >>> from torch import nn
        >>> from torch_workflow import evaluation_mode
        >>> model = nn.Dropout()
        >>> with evaluation_mode(model):
        ...     print(model.training)
        False
        >>> model.training
        True
    """
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, was_training in modes:
            module.training = was_training
