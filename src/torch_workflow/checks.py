"""What would train on without a word, or fail with too many: looked for once, before training."""

import warnings
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.optim import LBFGS, Optimizer
from torch.utils.data import (
    DataLoader,
    Dataset,
    RandomSampler,
    SequentialSampler,
    TensorDataset,
    default_collate,
)

from torch_workflow.data import Batches, Rows, Split
from torch_workflow.devices import device_of, move
from torch_workflow.prediction import evaluation_mode
from torch_workflow.randomness import generators_of, random_states, restore_random_states


def check_run(
    model: nn.Module,
    loaders: dict[str, Iterable[Any]],
    loss_function: Any,
    optimizer: Optimizer,
) -> None:
    """Try what a run will do on the first batch of each loader, and change nothing.

    Tensors that lie in memory (in `batches`, a `TensorDataset` or a list) are searched for values
    that are nan or infinite in full, other data in their first batch only.

    Args:
        model: In evaluation mode while it is tried, and in its own modes afterwards.
        loaders: The loaders of the run, each under the name of its argument.
        loss_function: From predictions and labels to a scalar.
        optimizer: Holds the model's parameters.

    Raises:
        ValueError: Something does not fit together; the message says what, and how to mend it.
    """
    if not torch.is_grad_enabled():
        raise ValueError("gradients are switched off: call fit outside no_grad and inference_mode")
    _check_optimizer(model, optimizer)
    device, generators = device_of(model), generators_of(*loaders.values())
    if device.type == "meta":
        raise ValueError(
            "the model is on the meta device, where tensors have shapes and no values: "
            "make it on another device"
        )
    before = random_states(device, generators)
    buffers = {n: b.clone() for n, b in model.named_buffers() if not is_lazy(b)}
    try:
        for name, loader in loaders.items():
            batch = _first_batch(name, loader)
            tensors_in_memory = _tensors_in_memory(name, loader)
            for what, (features, labels) in (tensors_in_memory or {name: batch}).items():
                _check_values(f"{what} features", features)
                _check_values(f"{what} labels", labels)
            features, labels = move(batch, device)
            predictions = _try_model(name, model, features)
            if isinstance(predictions, Tensor):
                _try_loss(name, loss_function, predictions.detach(), labels)
    finally:
        restore_random_states(before, device, generators)
        for name, values in buffers.items():
            model.get_buffer(name).copy_(values)


def check_resumable(
    model: nn.Module, loaders: dict[str, Iterable[Any]], optimizer: Optimizer
) -> None:
    """Refuse what a checkpoint cannot keep.

    Args:
        model: Its parameters are kept.
        loaders: The loaders of the run, each under the name of its argument.
        optimizer: Its state is kept.

    Raises:
        ValueError: The optimizer trains parameters of something else, or the workers of a loader
            live on, and with them random states that nothing else can read.
    """
    own = set(model.parameters())
    if {p in own for group in optimizer.param_groups for p in group["params"]} == {True, False}:
        raise ValueError(
            "optimizer holds parameters that are not the model's, and a checkpoint would lose "
            "them: make them part of the model"
        )
    for name, loader in loaders.items():
        if getattr(loader, "persistent_workers", False):
            raise ValueError(
                f"{name} has persistent workers, whose random states a checkpoint cannot keep: "
                "make the DataLoader with persistent_workers=False"
            )


def _check_optimizer(model: nn.Module, optimizer: Optimizer) -> None:
    if isinstance(optimizer, LBFGS):
        raise ValueError(
            "optimizer is LBFGS, which evaluates the loss many times in a step: "
            "use one that steps once for each batch, such as SGD or Adam"
        )
    own = set(model.parameters())
    held = [p for group in optimizer.param_groups for p in group["params"] if p in own]
    if not held:
        raise ValueError(
            "optimizer holds none of the model's parameters: "
            "make it from model.parameters(), after the model"
        )
    if not any(parameter.requires_grad for parameter in held):
        raise ValueError(
            "optimizer holds only frozen parameters of the model: "
            "set requires_grad to True for those that should learn"
        )


def _first_batch(name: str, loader: Any) -> tuple[Tensor, Tensor]:
    if isinstance(loader, Iterator):
        raise ValueError(
            f"{name} is a {type(loader).__name__}, used up after one epoch: "
            "pass a list, batches(features, labels) or a DataLoader"
        )
    if isinstance(loader, Tensor | Dataset | Rows | Split):
        raise ValueError(
            f"{name} is a {type(loader).__name__}, which has no batches: "
            "pass batches(features, labels) or a DataLoader"
        )
    rows, size = _rows_in_memory(loader), getattr(loader, "batch_size", None)
    if rows is not None and size and all(part.layout == torch.strided for part in rows):
        batch = tuple(part[:size] for part in rows) if len(loader) else None  # without shuffling
    else:
        batch = next(iter(loader), None)
    if batch is None:
        raise ValueError(f"{name} yields no batch: give it at least one row, or drop_last=False")
    return _check_batch(name, batch)


def _check_batch(name: str, batch: Any) -> tuple[Tensor, Tensor]:
    if (
        not isinstance(batch, Sequence)
        or len(batch) != 2
        or not all(isinstance(tensor, Tensor) and tensor.ndim for tensor in batch)
    ):
        came = type(batch).__name__
        if isinstance(batch, list | tuple):
            came += f" of {', '.join(type(part).__name__ for part in batch)}"
        raise ValueError(
            f"{name} yields a {came}, expected are pairs of tensors, (features, labels), "
            "as batches(features, labels) or a DataLoader yields them"
        )
    features, labels = batch
    if len(features) != len(labels):
        raise ValueError(
            f"{name} yields {len(features)} rows of features with {len(labels)} of labels: "
            "one label for each row"
        )
    if len(features) == 0:
        raise ValueError(f"{name} yields a batch without rows: give it at least one")
    return features, labels


def _tensors_in_memory(name: str, loader: Iterable[Any]) -> dict[str, tuple[Tensor, Tensor]]:
    rows = _rows_in_memory(loader)
    if rows is not None:
        return {name: rows}
    if isinstance(loader, Sequence):
        found = {f"{name} batch {index}": batch for index, batch in enumerate(loader)}
        return {what: _check_batch(what, batch) for what, batch in found.items()}
    return {}


def _rows_in_memory(loader: Any) -> Any:
    if isinstance(loader, Batches):
        return loader.features, loader.labels
    if (
        isinstance(loader, DataLoader)
        and isinstance(loader.dataset, TensorDataset)
        and isinstance(loader.sampler, RandomSampler | SequentialSampler)  # takes all rows
        and loader.collate_fn is default_collate
    ):
        return loader.dataset.tensors
    return None


def _check_values(what: str, tensor: Tensor) -> None:
    if not tensor.is_floating_point() or tensor.layout != torch.strided or tensor.numel() == 0:
        return
    if tensor.dtype.itemsize == 1:  # float8: there is no minimum of it to be had
        return
    if torch.stack(tensor.aminmax()).isfinite().all():
        return
    rows = (~tensor.isfinite()).flatten(1).any(1) if tensor.ndim > 1 else ~tensor.isfinite()
    raise ValueError(
        f"{what} are nan or infinite in {int(rows.sum())} of {len(rows)} rows, first at index "
        f"{int(rows.int().argmax())}: leave these rows out, or fill in their values"
    )


def _try_model(name: str, model: nn.Module, features: Tensor) -> Any:
    expected = next((p.dtype for p in model.parameters() if p.is_floating_point()), features.dtype)
    came = f"{name} features of shape {tuple(features.shape)} and {features.dtype}"
    try:
        with evaluation_mode(model), torch.enable_grad():
            predictions = model(features)
    except Exception as error:
        remedy = "compare the shape with the sizes of its layers"
        if "device" in str(error):
            remedy = "move the model with .to(), and register its own tensors as buffers"
        elif features.dtype != expected:
            remedy = f"convert the features with .to({expected})"
        raise ValueError(
            f"the model does not take {came} ({_first_line(error)}): {remedy}"
        ) from error
    if not isinstance(predictions, Tensor):
        return predictions
    if predictions.dtype == torch.float64 and features.dtype != expected != torch.float64:
        raise ValueError(
            f"the model's parameters are {expected}, but it gives torch.float64 for {came}: "
            f"convert the features with .to({expected})"
        )
    if not predictions.requires_grad:
        raise ValueError(
            "the model's predictions have no gradient: "
            "look for detach(), item(), argmax() or no_grad() in its forward"
        )
    return predictions


def _try_loss(name: str, loss_function: Any, predictions: Tensor, labels: Tensor) -> None:
    shapes = (
        f"{name} labels have shape {tuple(labels.shape)}, predictions {tuple(predictions.shape)}"
    )
    types = f"{name} labels are {labels.dtype}, predictions {predictions.dtype}"
    if isinstance(loss_function, nn.CrossEntropyLoss) and predictions.shape[1:2] == (1,):
        raise ValueError(
            f"{shapes}: cross-entropy over one class is always 0: "
            "give the model an output for each class, or use nn.BCEWithLogitsLoss"
        )
    if _compares_all_rows(loss_function, predictions, labels):
        raise ValueError(f"{shapes}: {_remedy(predictions, labels)}")
    predictions.requires_grad_()
    loss = None
    try:
        with warnings.catch_warnings(), torch.enable_grad():
            warnings.filterwarnings("error", message="Using a target size")
            loss = loss_function(predictions.clone(), labels.clone())
            if isinstance(loss, Tensor) and loss.numel() == 1 and loss.requires_grad:
                torch.autograd.grad(loss, predictions, allow_unused=True)
    except Exception as error:
        if "Using a target size" in str(error):
            raise ValueError(f"{shapes}: {_remedy(predictions, labels)}") from None
        raise ValueError(
            f"the loss function does not fit ({_first_line(error)}): {shapes}; {types}: "
            "give the labels the shape, type and values that it takes"
        ) from error
    if not isinstance(loss, Tensor) or loss.numel() != 1:
        came = f"shape {tuple(loss.shape)}" if isinstance(loss, Tensor) else type(loss).__name__
        raise ValueError(
            f"the loss function returns {came}: return a tensor with one number, the mean over rows"
        )
    if not loss.requires_grad:
        raise ValueError(
            "the loss function returns a number without a gradient: "
            "compute it from the predictions with functions that have one"
        )
    if labels.dtype == loss.dtype == torch.float64 != predictions.dtype:
        raise ValueError(f"{types}: convert the labels with .to({predictions.dtype})")


def _compares_all_rows(loss_function: Any, predictions: Tensor, labels: Tensor) -> bool:
    """Whether the loss subtracts each row of one from every row of the other."""
    try:
        together = torch.broadcast_shapes(predictions.shape, labels.shape).numel()
    except RuntimeError:
        return False
    if together <= max(predictions.numel(), labels.numel()):
        return False
    if predictions.numel() != labels.numel():
        return True
    # A loss that puts the shapes right itself tells the labels as predictions from a shifted copy.
    right = labels.to(predictions.dtype).reshape(predictions.shape)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            told = loss_function(right, labels.clone())
            return bool(told.isclose(loss_function(right.roll(1, 0), labels), rtol=1e-4).all())
        except Exception:
            return True


def _remedy(predictions: Tensor, labels: Tensor) -> str:
    shape = tuple(predictions.shape)
    if shape == (*labels.shape, 1):
        return f"unsqueeze the labels to {shape} with labels.unsqueeze(-1)"
    if labels.shape == (*shape, 1):
        return f"squeeze the labels to {shape} with labels.squeeze(-1)"
    if labels.shape == shape:
        return "the loss function changes one of the shapes, let it leave both as they are"
    return "give both the same shape; the last layer decides that of the predictions"


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
