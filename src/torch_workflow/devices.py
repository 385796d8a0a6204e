"""Where tensors live: find the best device, and bring model and data together on it."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


def best_device() -> torch.device:
    """The accelerator that PyTorch finds (CUDA, MPS, XPU, ...), or the CPU where there is none.

    Examples:
        >>> import torch
        >>> from torch_workflow import best_device
        >>> weights = torch.zeros(3, device=best_device())
        >>> weights.device.type == best_device().type
        True
    """
    accelerator = torch.accelerator.current_accelerator(check_available=True)
    return torch.device("cpu") if accelerator is None else accelerator


def device_of(model: nn.Module) -> torch.device:
    """The device of a model's first parameter; the CPU for a model that has none.

    Args:
        model: Any module.

    Examples:
        >>> from torch import nn
        >>> from torch_workflow import device_of
        >>> device_of(nn.Linear(1, 1))
        device(type='cpu')
    """
    first = next(model.parameters(), None)
    return torch.device("cpu") if first is None else first.device


def move(batch: Sequence[Tensor], device: torch.device) -> tuple[Tensor, ...]:
    """The tensors of a batch on a device; one that is there already is not copied.

    Args:
        batch: Tensors of any shape, such as `(features, labels)`.
        device: Where they should be. A copy from pinned memory goes on while Python does.

    Returns:
        As many tensors, in the same order.

    Examples:
        >>> from torch_workflow import best_device, move, straight_line
        >>> features, labels = move(straight_line(), best_device())
        >>> labels.device.type == best_device().type
        True
    """
    return tuple(
        tensor if tensor.device == device else tensor.to(device, non_blocking=tensor.is_pinned())
        for tensor in batch
    )
