"""Stage 5: save and load a model's weights, and checkpoints to resume training from."""

import io
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any, Protocol

import safetensors.torch
import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from torch_workflow.devices import device_of

CHECKPOINT_FORMAT = 1


class SupportsState(Protocol):
    """Anything with a state that can be read and put back, such as a `History`."""

    def state_dict(self) -> Mapping[str, Any]: ...
    def load_state_dict(self, state: Any, /) -> Any: ...


def save_model(model: nn.Module, path: str | Path) -> None:
    """Write a model's weights, and nothing else of it, as a safetensors file.

    The file is complete or not there: an interrupted save leaves the previous one as it was.

    Args:
        model: The model; what it saves is its `state_dict`.
        path: The file to write, by convention named `*.safetensors`.
    """
    weights = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    _write_atomically(path, lambda file: file.write(safetensors.torch.save(weights)))


def load_model(model: nn.Module, path: str | Path) -> None:
    """Put the weights of a file into a model of the same shape, on the model's device.

    Args:
        model: Receives the weights, in place.
        path: A file that `save_model` wrote.

    Raises:
        FileNotFoundError: There is no such file.
        RuntimeError: The file's names or shapes are not those of the model.
    """
    weights = safetensors.torch.load_file(path, device=str(device_of(model)))
    model.load_state_dict(weights)


def save_checkpoint(
    path: str | Path,
    model: nn.Module,
    optimizer: Optimizer,
    history: SupportsState,
    *,
    scheduler: LRScheduler | None = None,
    generator: torch.Generator | None = None,
) -> None:
    """Write everything that training needs to go on as if it had not stopped, in one file.

    The file is complete or not there: an interrupted save leaves the previous one as it was.

    Args:
        path: The file to write, by convention named `*.pt`.
        model: Its weights and buffers are kept.
        optimizer: Its state is kept, momentum and the like.
        history: Its lists are kept, and with them the number of epochs.
        scheduler: Its state is kept, if there is one.
        generator: The state of the generator that shuffles the batches is kept, if there is one.
    """
    checkpoint = {
        "format": CHECKPOINT_FORMAT,
        "torch": str(torch.__version__),
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "history": history.state_dict(),
        "scheduler": None if scheduler is None else scheduler.state_dict(),
        "generator": None if generator is None else generator.get_state(),
        "random": torch.get_rng_state(),
    }
    buffer = io.BytesIO()  # torch.save into a file turns Ctrl-C into another error, or aborts
    torch.save(checkpoint, buffer)
    _write_atomically(path, lambda file: file.write(buffer.getbuffer()))


def load_checkpoint(
    path: str | Path,
    model: nn.Module,
    optimizer: Optimizer,
    history: SupportsState,
    *,
    scheduler: LRScheduler | None = None,
    generator: torch.Generator | None = None,
) -> None:
    """Put everything that `save_checkpoint` wrote back where it was, PyTorch's random state too.

    Args:
        path: A file that `save_checkpoint` wrote.
        model: Receives the weights, on its own device.
        optimizer: Receives its state; make it for the model's parameters first.
        history: Receives its lists.
        scheduler: Receives its state; needed if the checkpoint has one.
        generator: Receives its state; needed if the checkpoint has one.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: Another format, or a scheduler or generator on one side alone.
        RuntimeError: The checkpoint's names or shapes are not those of the model.
    """
    # Random states must stay on the CPU, and each load_state_dict moves what it takes.
    checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    found = checkpoint.get("format") if isinstance(checkpoint, dict) else None
    if found != CHECKPOINT_FORMAT:
        raise ValueError(
            f"{path} has checkpoint format {found}, "
            f"this version of torch_workflow reads format {CHECKPOINT_FORMAT}"
        )
    for name, part in (("scheduler", scheduler), ("generator", generator)):
        if checkpoint[name] is not None and part is None:
            raise ValueError(f"{path} holds the state of a {name}: pass {name}= to restore it")
        if checkpoint[name] is None and part is not None:
            raise ValueError(f"{path} was saved without a {name}: there is none to restore")
    model.load_state_dict(checkpoint["model"])
    optimizer.load_state_dict(checkpoint["optimizer"])
    history.load_state_dict(checkpoint["history"])
    if scheduler is not None:
        scheduler.load_state_dict(checkpoint["scheduler"])
    if generator is not None:
        generator.set_state(checkpoint["generator"])
    torch.set_rng_state(checkpoint["random"])


def _write_atomically(path: str | Path, write: Callable[[IO[bytes]], object]) -> None:
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    if os.name == "posix":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
