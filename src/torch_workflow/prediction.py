"""Stage 4: what a trained model says about rows that it has not seen."""

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
        Predictions, `(rows, ...)` as the model makes them, on the model's device.
    """
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with torch.inference_mode():
            predictions: Tensor = model(features.to(device_of(model)))
    finally:
        for module, was_training in modes:
            module.training = was_training
    return predictions
