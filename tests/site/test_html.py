"""The HTML of the built site is valid."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

# Errors in the theme's own templates that no block or style of ours reaches: rule, place, reason.
THEME = [
    ("valid-autocomplete", "#__drawer|#__search", "switches without script; no harm in browsers"),
    ("wcag/h32", ".*> header > nav > (.*)form", "colors and search act at once, without a button"),
    ("attribute-allowed-values", r"#__nav_\d+_label", "an empty tabindex counts as none"),
    (
        "unique-landmark",
        r"html > body > .* > main > div > div:nth-child\([12]\) > div > div > nav.*",
        "the table of contents stands in both sidebars, of which one is shown",
    ),
]


@pytest.fixture(scope="module")
def errors(site: Path, node_modules: Path, tmp_path_factory) -> list[tuple[str, str, str]]:
    """Rule, selector and description of each error in the built pages."""
    pages = sorted(map(str, site.rglob("*.html")))
    program = node_modules / ".bin/html-validate"
    found = tmp_path_factory.mktemp("html") / "errors.json"
    done = subprocess.run(
        [program, "--config=.htmlvalidate.json", f"--formatter=json={found}", *pages],
        cwd=Path(__file__).parent,
        env=os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.is_file(), done.stderr
    return [
        (
            error["ruleId"],
            error.get("selector") or "",
            f"{Path(page['filePath']).relative_to(site)}:{error['line']}: {error['message']}",
        )
        for page in json.loads(found.read_text())
        for error in page["messages"]
    ]


def is_known(rule: str, selector: str) -> bool:
    return any(rule == known and re.fullmatch(place, selector) for known, place, _ in THEME)


def test_only_the_theme_has_errors(errors):
    ours = [f"{what} ({rule})" for rule, place, what in errors if not is_known(rule, place)]
    assert not ours, "\n".join(ours)


def test_no_excuse_is_out_of_date(errors):
    for known, place, reason in THEME:
        found = [rule for rule, selector, _ in errors if re.fullmatch(place, selector)]
        assert known in found, f"no longer needed: {known}, {reason}"
