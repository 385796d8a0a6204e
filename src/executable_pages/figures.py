"""Figures as SVG files that follow light and dark, the same text for the same data, and compared.

Ink and series colors are CSS variables. Without help they follow the reader's system; an address
that ends in `#light` or `#dark` chooses.
"""

import contextlib
import io
import itertools
import re
import sys
from collections.abc import Iterator
from typing import Any

TOLERANCE = 0.05  # SVG user units, a fifteenth of a millimeter on paper

COLORS = {  # name: (in the light, in the dark); also how matplotlib is told to draw it
    "ink": ("#1c2430", "#e4e8ee"),
    "line": ("#5b6675", "#98a3b3"),
    "grid": ("#d9dee5", "#3b4352"),
    "c0": ("#1f5fbf", "#7db2ff"),
    "c1": ("#b3530a", "#ffae66"),
    "c2": ("#1b7a4b", "#63d198"),
    "c3": ("#c2185b", "#ff82b2"),
    "c4": ("#6b4fc9", "#bba6ff"),
    "c5": ("#7a6a00", "#d9c24a"),
    "c6": ("#0b7a8c", "#5fd0e0"),
    "c7": ("#5f6b7a", "#a3afbd"),
}
FONTS = "system-ui, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif"

TAG = re.compile(r"(<[^>]*>)")
FIGURE_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e-?\d+)?")
HASHED_ID = re.compile(r"\b([a-zA-Z]{1,2}[0-9a-f]{10})\b")


@contextlib.contextmanager
def fresh_matplotlib() -> Iterator[None]:
    """Matplotlib's defaults in the pages' style, with no figure open, before and after."""
    import matplotlib
    from cycler import cycler

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.use("module://executable_pages.backend")
        ink, line, grid = (COLORS[name][0] for name in ("ink", "line", "grid"))
        matplotlib.rcParams.update(
            {
                "figure.figsize": (5.2, 3.4),
                "figure.facecolor": "none",
                "figure.constrained_layout.use": True,
                "figure.max_open_warning": 0,
                "font.size": 11,
                "text.color": ink,
                "axes.labelcolor": ink,
                "axes.edgecolor": line,
                "axes.facecolor": "none",
                "axes.grid": True,
                "axes.axisbelow": True,
                "axes.formatter.min_exponent": 4,
                "axes.spines.top": False,
                "axes.spines.right": False,
                "axes.prop_cycle": cycler(
                    color=[light for name, (light, _) in COLORS.items() if re.match(r"c\d", name)]
                ),
                "grid.color": grid,
                "xtick.color": line,
                "ytick.color": line,
                "xtick.labelcolor": ink,
                "ytick.labelcolor": ink,
                "legend.frameon": False,
                "path.simplify": False,
                "svg.fonttype": "none",
                "svg.hashsalt": "executable-pages",
            }
        )
        take_open_figures()
        try:
            yield
        finally:
            if pyplot := sys.modules.get("matplotlib.pyplot"):
                pyplot.close("all")


def take_open_figures() -> list[str]:
    """Draw and close every open figure, in the order in which they were made."""
    pyplot: Any = sys.modules.get("matplotlib.pyplot")
    if pyplot is None:
        return []
    drawn = []
    for number in pyplot.get_fignums():
        drawn.append(_theme(_draw(pyplot.figure(number))))
    pyplot.close("all")
    return drawn


def _draw(figure: Any) -> str:
    """The figure's SVG; `savefig` would draw it a second time only to lay it out."""
    if layout := figure.get_layout_engine():
        layout.execute(figure)
        figure.set_layout_engine("none")
    buffer = io.StringIO()
    figure.canvas.print_svg(buffer, metadata={"Date": None})
    return buffer.getvalue()


def same_figure(one: str, other: str) -> bool:
    """Whether two drawings are equal, their coordinates within a tolerance.

    Whatever is shown as text, and every color, must be the same to the letter.
    """
    if one == other:
        return True
    first, second = TAG.split(one), TAG.split(other)
    if len(first) != len(second):
        return False
    return all(map(_same_tag, first[1::2], second[1::2])) and first[::2] == second[::2]


def _same_tag(one: str, other: str) -> bool:
    if one == other:
        return True
    if FIGURE_NUMBER.split(one) != FIGURE_NUMBER.split(other):
        return False
    pairs = zip(FIGURE_NUMBER.findall(one), FIGURE_NUMBER.findall(other), strict=True)
    return all(abs(float(a) - float(b)) <= TOLERANCE for a, b in pairs)


def _theme(svg: str) -> str:
    """Matplotlib's SVG with colors as variables, short identifiers and no metadata."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"\s*<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    for name, (light, _) in COLORS.items():
        svg = svg.replace(light, f"var(--{name})")
    svg = re.sub(r"'DejaVu Sans'[^;\"]*sans-serif", FONTS, svg)
    names: dict[str, str] = {}
    fresh = (f"i{number}" for number in itertools.count())
    svg = HASHED_ID.sub(
        lambda found: names.get(found[1]) or names.setdefault(found[1], next(fresh)), svg
    )
    start = svg.index(">") + 1
    style = (
        "\n <style>"
        f"svg, #light:target {{{_variables(0)}}} "
        f"@media (prefers-color-scheme: dark) {{svg {{{_variables(1)}}}}} "
        f"#dark:target {{{_variables(1)}}}"
        '</style>\n <g id="light"><g id="dark">'
    )
    end = svg.rindex("</svg>")
    lines = (svg[:start] + style + svg[start:end] + "</g></g>\n</svg>\n").split("\n")
    return "\n".join(line.rstrip() for line in lines)


def _variables(theme: int) -> str:
    return "; ".join(f"--{name}: {values[theme]}" for name, values in COLORS.items())


def for_paper(svg: str) -> str:
    """A figure in its light colors on white, for viewers that set their own background."""
    svg = re.sub(r"\n <style>.*?</style>", "", svg, count=1)
    svg = svg.replace("<svg ", '<svg style="background: #ffffff" ', 1)
    return re.sub(r"var\(--(\w+)\)", lambda found: COLORS[found[1]][0], svg)
