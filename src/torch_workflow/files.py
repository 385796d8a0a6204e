"""Files that are complete or not there when written, and whole or refused when read."""

import contextlib
import glob
import os
import pickle
import secrets
import shutil
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor


def write_atomically(path: str | Path, write: Callable[[Path], object]) -> None:
    """Write a file so that its name stands for the old contents or the new, never for a part.

    Args:
        path: The file to write, in a folder that exists. Let one process at a time write it: a
            second one takes the first one's temporary folder for that of a killed run.
        write: Called with another path, in a temporary folder beside the final one.

    Raises:
        OSError: The file could not be written; what stood there before is untouched.

    Examples:
        >>> from pathlib import Path
        >>> from torch_workflow import write_atomically
        >>> write_atomically("note.txt", lambda file: file.write_text("done"))
        >>> Path("note.txt").read_text()
        'done'
    """
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder: name a file in it")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {path.parent}: make it before you save in it")
    for stray in path.parent.glob(f".{glob.escape(path.name)}.????????.tmp"):
        _remove(stray)
    folder = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    temporary = folder / path.name
    try:
        folder.mkdir()
        temporary.touch()
        mode = temporary.stat().st_mode
        write(temporary)
        temporary.chmod(mode)
        _flush_to_disk(temporary)
        temporary.replace(path)
        _remove(folder)
    except BaseException as error:
        failed, free = temporary.exists(), shutil.disk_usage(path.parent).free
        _remove(folder)
        untouched = f"{path} was not saved, what stood there before is untouched"
        if isinstance(error, RuntimeError | SafetensorError):  # what writers make of a full disk
            raise OSError(f"{untouched}, {free} bytes are free on its disk: {error}") from error
        if failed:
            error.add_note(untouched)
        raise
    if os.name == "posix":
        _flush_to_disk(path.parent)


def checksum(tensors: Mapping[str, Tensor]) -> str:
    """The CRC-32 of tensors with their names, types and shapes, as eight hexadecimal digits."""
    crc = 0
    for name in sorted(tensors):
        tensor = tensors[name]
        crc = zlib.crc32(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode(), crc)
        content: Any = tensor.reshape(-1).view(torch.uint8).numpy()
        crc = zlib.crc32(content, crc)
    return f"{crc:08x}"


def read_weights(path: str | Path, *, verify: bool = True) -> dict[str, Tensor]:
    """The tensors of a safetensors file, mapped into memory, and its checksum verified.

    Raises:
        OSError: There is no such file, or it cannot be opened.
        ValueError: It is damaged, not a safetensors file, or has no checksum.
    """
    with Path(path).open("rb"):  # a missing file or a folder is an OSError that says so
        pass
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, RuntimeError, ValueError) as error:
        raise ValueError(f"{path} is cut short, damaged or no safetensors file: {error}") from error
    if verify and "crc32" not in metadata:
        raise ValueError(
            f"{path} has no checksum, so save_model did not write it: "
            "pass verify=False if you trust it to be undamaged"
        )
    if verify and metadata["crc32"] != (found := checksum(tensors)):
        raise ValueError(
            f"{path} is damaged: its contents have the checksum {found}, it was saved with "
            f"{metadata['crc32']}: take another copy of it"
        )
    return tensors


def read_archive(path: str | Path) -> Any:
    """What `torch.save` wrote, every record's checksum verified, on the CPU; no code of it runs.

    Raises:
        OSError: There is no such file, or it cannot be opened.
        ValueError: It is damaged, of another kind, or holds more than weights and plain containers.
    """
    with Path(path).open("rb") as file:
        try:
            with zipfile.ZipFile(file) as archive:
                names = {name.rpartition("/")[2] for name in archive.namelist()}
                if "data.pkl" not in names or "constants.pkl" in names:  # the latter: TorchScript
                    raise ValueError("its records are not those of torch.save")
                damaged = archive.testzip()
                for record in archive.infolist():
                    if record.external_attr:  # zipfile ignores it, torch.load may not
                        damaged = record.filename
            if damaged is None:
                file.seek(0)
                return torch.load(file, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError as error:
            raise ValueError(
                f"{path} holds more than weights and plain containers, so it was refused and "
                "nothing of it was run"
            ) from error
        except Exception as error:
            reason = str(error).partition("\n")[0]
            raise ValueError(
                f"{path} is cut short, damaged or no file of torch.save: {reason}"
            ) from error
    raise ValueError(f"{path} is damaged in {damaged!r}: take another copy of it")


def _remove(folder: Path) -> None:
    with contextlib.suppress(OSError):
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()


def _flush_to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY if os.name == "posix" else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
