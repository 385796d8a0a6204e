import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

WritePage = Callable[..., Path]


@pytest.fixture
def write_page(tmp_path: Path) -> WritePage:
    """Writes a page, dedented, into a folder of its own."""

    def write(text: str, name: str = "page.md") -> Path:
        path = tmp_path / name
        path.write_text(textwrap.dedent(text).lstrip("\n"))
        return path

    return write
