"""Runs a page as in a new process: nothing left over of an earlier page, nothing left behind."""

import contextlib
import linecache
import os
import random
import signal
import sys
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from executable_pages import figures
from executable_pages.blocks import Page


@contextlib.contextmanager
def fresh_process(page: Page) -> Iterator[ModuleType]:
    """A module named `__main__` for the page, and nothing left over of an earlier page."""
    module = ModuleType("__main__")
    module.__file__ = str(page.path)
    path, argv, environment, main = sys.path[:], sys.argv, dict(os.environ), sys.modules["__main__"]
    with (
        tempfile.TemporaryDirectory(prefix="page-", ignore_cleanup_errors=True) as folder,
        contextlib.chdir(folder),
        warnings.catch_warnings(),
        kept_random_state(),
        figures.fresh_matplotlib(),
    ):
        interrupt = _heed_interrupts()
        linecache.cache[str(page.path)] = _source_lines(page)
        sys.modules["__main__"] = module
        sys.path.insert(0, folder)
        sys.argv = [str(page.path)]
        os.environ["PATH"] = os.pathsep.join(
            [str(Path(sys.executable).parent), os.environ.get("PATH", "")]
        )
        os.environ["MPLBACKEND"] = "Agg"
        _default_warnings()
        _fresh_torch()
        random.seed()
        if numpy := sys.modules.get("numpy"):
            numpy.random.seed()
        try:
            yield module
        finally:
            signal.signal(signal.SIGINT, interrupt)
            sys.modules["__main__"] = main
            sys.path[:], sys.argv = path, argv
            os.environ.clear()
            os.environ.update(environment)
            linecache.cache.pop(str(page.path), None)
            _fresh_torch()
            _forget_modules_in(folder)


def _source_lines(page: Page) -> tuple[int, None, list[str], str]:
    """The page with all but its Python blanked, where `inspect.getsource` finds what it defines."""
    lines = ["\n"] * len(page.lines)
    for block in page.blocks:
        if block.language == "python":
            lines[block.line : block.end - 1] = block.code.splitlines(keepends=True)
    return len(page.lines), None, lines, str(page.path)


def _heed_interrupts() -> Any:
    """Ctrl-C raises, here and in processes started from here, also under a shell's `&`."""
    before = signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    return before


def _default_warnings() -> None:
    """Python's own filters, each warning printed as a line: `UserWarning: message`."""
    warnings.resetwarnings()
    for category in (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning):
        warnings.simplefilter("ignore", category)
    warnings.filterwarnings("default", category=DeprecationWarning, module="__main__")
    warnings.showwarning = _print_warning


def _print_warning(
    message: Warning | str, category: type[Warning], *_: object, **__: object
) -> None:
    print(f"{category.__name__}: {message}")


@contextlib.contextmanager
def kept_random_state() -> Iterator[None]:
    """Puts every global random generator back where it was."""
    state = random.getstate()
    numpy, torch = sys.modules.get("numpy"), sys.modules.get("torch")
    numpy_state = numpy and numpy.random.get_state()
    torch_state = torch and torch.get_rng_state()
    try:
        yield
    finally:
        random.setstate(state)
        if numpy:
            numpy.random.set_state(numpy_state)
        if torch:
            torch.set_rng_state(torch_state)


def _fresh_torch() -> None:
    """PyTorch's global settings as in a new process; nothing where it has not been imported."""
    torch: Any = sys.modules.get("torch")
    if torch is not None:
        torch.seed()
        torch.set_default_dtype(torch.float32)
        torch.set_default_device(None)
        torch.set_grad_enabled(True)
        torch.use_deterministic_algorithms(False)
        torch.set_printoptions(profile="default")


def _forget_modules_in(folder: str) -> None:
    loaded: Mapping[str, ModuleType] = dict(sys.modules)
    for name, module in loaded.items():
        file = getattr(module, "__file__", None)
        if file and file.startswith(f"{folder}{os.sep}"):
            del sys.modules[name]
