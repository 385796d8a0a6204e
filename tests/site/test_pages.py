"""The pages keep to what a reader needs: short snippets, exercises, questions, figures in use."""

import re
import subprocess
import sys

import pytest
from project import PAGES, ROOT, TEACHING_PAGES

from executable_pages.reading import read_page

BANNED = re.compile(r"\b(simply|just|easy|easily|obviously|of course|epic)\b|!(?!\[|!)", re.I)


def names(page):
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_a_snippet_fits_a_phone(page):
    for block in read_page(page).blocks:
        if block.source is None:
            lines = block.code.splitlines()
            assert len(lines) <= 15, f"line {block.line}"
            assert max(map(len, lines)) <= 72, f"line {block.line}"


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_the_code_of_a_page_is_clean(page):
    read = read_page(page)
    lines = [""] * len(read.lines)
    for block in read.blocks:
        if block.language == "python" and block.source is None:
            lines[block.line : block.end - 1] = block.code.splitlines()
    rules = ["--isolated", "--line-length=72", "--select=B,E,F,UP"]
    # A page imports where a reader needs it, defines things twice, and zips equal lengths.
    rules += ["--ignore=B905,E402,F811"]
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--quiet", "--output-format=concise", *rules, "-"],
        input="\n".join(lines),
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
    )
    assert done.stdout == ""


@pytest.mark.parametrize("page", TEACHING_PAGES, ids=names)
def test_a_teaching_page_has_exercises_questions_and_a_summary(page):
    text = page.read_text()
    assert sum(block.role == "solution" for block in read_page(page).blocks) >= 3
    assert text.count("<summary>Answer</summary>") >= 2
    assert "\n## What you now know\n" in text


def test_every_figure_file_is_shown_by_one_page():
    drawn = []
    for page in PAGES:
        drawn += {image.path for image in read_page(page).images if image.is_figure}
    assert sorted(drawn) == sorted((ROOT / "docs").rglob("figures/*.svg"))
    assert len(drawn) >= 25
