"""Stage 5: save and load a model's weights, and checkpoints to resume training from."""

import io
import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import safetensors.torch
import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from torch_workflow.devices import device_of
from torch_workflow.files import checksum, read_archive, read_weights, write_atomically
from torch_workflow.randomness import random_states, restore_random_states

CHECKPOINT_FORMAT = 3
CHECKPOINT_PARTS = {"kinds", "model", "optimizer", "scheduler", "history", "random"}


class SupportsState(Protocol):
    """Anything with a state that can be read and put back, such as a `History`."""

    def state_dict(self) -> Mapping[str, Any]: ...
    def load_state_dict(self, state: Any, /) -> Any: ...


def save_model(model: nn.Module, path: str | Path) -> None:
    """Write a model's weights, and nothing else of it, as a safetensors file with a checksum.

    The file is complete or not there: an interrupted save leaves the previous one as it was.

    Args:
        model: The model; what it saves is its `state_dict`, tied weights once for each name.
        path: The file to write, by convention named `*.safetensors`.

    Raises:
        OSError: The file could not be written.
        TypeError: The state holds something that is not a dense tensor.

    Examples:
        >>> from pathlib import Path
        >>> from torch_workflow import LinearRegression, save_model
        >>> save_model(LinearRegression(), "line.safetensors")
        >>> Path("line.safetensors").exists()
        True
    """
    weights: dict[str, Tensor] = {}
    storages = set()
    for name, tensor in model.state_dict().items():
        if not isinstance(tensor, Tensor) or tensor.layout != torch.strided or tensor.is_meta:
            raise TypeError(
                f"{name} is no dense tensor with values, and such a file holds no other"
            )
        weight = tensor.cpu().contiguous()
        storage = weight.untyped_storage().data_ptr()
        weights[name] = weight.clone() if storage in storages else weight
        storages.add(storage)
    write_atomically(path, lambda file: _write_weights(weights, file))


def load_model(model: nn.Module, path: str | Path, *, verify: bool = True) -> None:
    """Put the weights of a file into a model of the same shape, all of them or none.

    Args:
        model: Receives the weights in place, on its own device.
        path: A file that `save_model` wrote.
        verify: Whether to compare the contents with the checksum that `save_model` wrote. A file
            of another program has none and is refused, unless this is false.

    Raises:
        OSError: There is no such file, or it cannot be opened.
        ValueError: The file is damaged, has no checksum while `verify` is true, or its names,
            shapes or types are not the model's.

    Examples:
        >>> from torch_workflow import LinearRegression, load_model, save_model
        >>> trained, fresh = LinearRegression(), LinearRegression()
        >>> save_model(trained, "line.safetensors")
        >>> load_model(fresh, "line.safetensors")
        >>> bool(fresh.weight == trained.weight)
        True
    """
    weights = read_weights(path, verify=verify)
    _check_weights(path, weights, model)
    model.load_state_dict(weights)


def save_checkpoint(
    path: str | Path,
    model: nn.Module,
    optimizer: Optimizer,
    history: SupportsState,
    *,
    scheduler: LRScheduler | None = None,
    generators: Sequence[torch.Generator] = (),
) -> None:
    """Write everything that training needs to go on as if it had not stopped, in one file.

    The file is complete or not there: an interrupted save leaves the previous one as it was.

    Args:
        path: The file to write, by convention named `*.pt`.
        model: Its weights and buffers are kept.
        optimizer: Its state is kept, momentum and the like.
        history: Its lists are kept, and with them the number of epochs.
        scheduler: Its state is kept, if there is one.
        generators: Those that shuffle the batches; their states are kept, with those of PyTorch
            (on the CPU and the model's device), Python and NumPy.

    Raises:
        OSError: The file could not be written.
        TypeError: A state holds what `load_checkpoint` would refuse.

    Examples:
        >>> from pathlib import Path
        >>> from torch.optim import Adam
        >>> from torch_workflow import History, LinearRegression, save_checkpoint
        >>> model = LinearRegression()
        >>> optimizer = Adam(model.parameters())
        >>> save_checkpoint("last.pt", model, optimizer, History())
        >>> Path("last.pt").exists()
        True
    """
    checkpoint = {
        "format": CHECKPOINT_FORMAT,
        "torch": str(torch.__version__),
        "kinds": _kinds(model, optimizer, scheduler),
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "scheduler": None if scheduler is None else scheduler.state_dict(),
        "history": history.state_dict(),
        "random": random_states(device_of(model), generators),
    }
    write_atomically(path, lambda file: _write_archive(checkpoint, file))


def load_checkpoint(
    path: str | Path,
    model: nn.Module,
    optimizer: Optimizer,
    history: SupportsState,
    *,
    scheduler: LRScheduler | None = None,
    generators: Sequence[torch.Generator] = (),
) -> None:
    """Put everything that `save_checkpoint` wrote back where it was, the random states too.

    Args:
        path: A file that `save_checkpoint` wrote.
        model: Receives the weights, on its own device.
        optimizer: Receives its state; make it for the model's parameters first.
        history: Receives its lists.
        scheduler: Receives its state; needed if the checkpoint has one.
        generators: Receive their states; as many as were saved, in the same order.

    Raises:
        OSError: There is no such file, or it cannot be opened.
        ValueError: The file is damaged or of another format, or the model, optimizer, scheduler,
            device or generators are not of the kind that it was made with. Nothing was changed.

    Examples:
        >>> import torch
        >>> from torch_workflow import History, LinearRegression
        >>> from torch_workflow import load_checkpoint, save_checkpoint
        >>> model, history = LinearRegression(), History()
        >>> optimizer = torch.optim.Adam(model.parameters())
        >>> save_checkpoint("last.pt", model, optimizer, history)
        >>> drawn = torch.rand(1)
        >>> load_checkpoint("last.pt", model, optimizer, history)
        >>> bool(torch.rand(1) == drawn)
        True
    """
    checkpoint = read_archive(path)
    try:
        _check_checkpoint(path, checkpoint, model, optimizer, scheduler)
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is no checkpoint of save_checkpoint: {error!r}") from error
    restore_random_states(checkpoint["random"], device_of(model), generators)
    history.load_state_dict(checkpoint["history"])
    model.load_state_dict(checkpoint["model"])
    optimizer.load_state_dict(checkpoint["optimizer"])
    if scheduler is not None:
        scheduler.load_state_dict(checkpoint["scheduler"])


def _check_checkpoint(
    path: str | Path,
    checkpoint: Any,
    model: nn.Module,
    optimizer: Optimizer,
    scheduler: LRScheduler | None,
) -> None:
    found = checkpoint.get("format") if isinstance(checkpoint, dict) else None
    if not isinstance(found, int):
        raise ValueError(f"{path} is no checkpoint: save_checkpoint did not write it")
    if found != CHECKPOINT_FORMAT:
        raise ValueError(
            f"{path} has checkpoint format {found}, this version of torch_workflow reads "
            f"format {CHECKPOINT_FORMAT}: resume with the version that wrote it"
        )
    if missing := CHECKPOINT_PARTS - checkpoint.keys():
        raise ValueError(f"{path} is no checkpoint: it has no {', '.join(sorted(missing))}")
    _check_weights(path, checkpoint["model"], model)
    kinds = _kinds(model, optimizer, scheduler)
    for name in ("optimizer", "scheduler"):
        if checkpoint["kinds"][name] != kinds[name]:
            raise ValueError(
                f"{path} was saved with {name} {checkpoint['kinds'][name]}, here {name} is "
                f"{kinds[name]}: resume with what the run was started with"
            )
    if checkpoint["kinds"]["parameters"] != kinds["parameters"]:
        raise ValueError(
            f"{path} was saved with the optimizer's parameters in another order or grouping: "
            "make the optimizer as it was made for that run"
        )


def _kinds(model: nn.Module, optimizer: Optimizer, scheduler: LRScheduler | None) -> dict[str, Any]:
    names = {parameter: name for name, parameter in model.named_parameters()}
    groups = [group["params"] for group in optimizer.param_groups]
    return {
        "optimizer": type(optimizer).__name__,
        "scheduler": None if scheduler is None else _scheduler_kind(scheduler),
        "parameters": [[names.get(parameter) for parameter in group] for group in groups],
    }


def _scheduler_kind(scheduler: LRScheduler) -> str:
    parts = map(_scheduler_kind, getattr(scheduler, "_schedulers", ()))
    return "".join([type(scheduler).__name__, *(f" + {part}" for part in parts)])


def _check_weights(path: str | Path, weights: Mapping[str, Any], model: nn.Module) -> None:
    own = model.state_dict()
    differences = [
        f"{name} is {_describe(weights, name)} in the file and {_describe(own, name)} in the model"
        for name in {**own, **weights}
        if _describe(weights, name) != _describe(own, name)
    ]
    if differences:
        more = f", and {len(differences) - 3} more" if len(differences) > 3 else ""
        raise ValueError(f"{path} is of another model: {'; '.join(differences[:3])}{more}")


def _describe(weights: Mapping[str, Any], name: str) -> str:
    if name not in weights:
        return "missing"
    value = weights[name]
    if not isinstance(value, Tensor):
        return type(value).__name__
    if is_lazy(value):
        return "not initialized"
    return f"{str(value.dtype).removeprefix('torch.')} {tuple(value.shape)}"


def _write_weights(weights: dict[str, Tensor], file: Path) -> None:
    unknown = "????????"
    safetensors.torch.save_file(weights, file, {"crc32": unknown})
    with file.open("r+b") as contents:
        length = int.from_bytes(contents.read(8), "little")
        contents.seek(8 + contents.read(length).index(unknown.encode()))
        contents.write(checksum(weights).encode())  # while the disk is writing the rest


def _write_archive(checkpoint: Mapping[str, Any], file: Path) -> None:
    try:
        if str(file).isascii():
            torch.save(checkpoint, file)
        else:  # torch.save would write through Python, where Ctrl-C becomes another error
            buffer = io.BytesIO()
            torch.save(checkpoint, buffer)
            file.write_bytes(buffer.getbuffer())
    except (AttributeError, pickle.PicklingError) as error:
        raise TypeError(f"a state in the checkpoint cannot be saved: {error}") from error
    refused = torch.serialization.get_unsafe_globals_in_checkpoint(file)
    if refused:
        raise TypeError(
            f"a state in the checkpoint holds {', '.join(refused)}, which loading would refuse: "
            "keep numbers, text, plain containers and tensors in it"
        )
