"""When two texts are the same, and when two figures are."""

import matplotlib.pyplot as plt
import pytest

from executable_pages import figures
from executable_pages.comparing import same_shape, same_text


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("loss 0.3333", "loss 0.3334"),
        ("loss -0.3333", "loss -0.3332"),
        ("1.234e-05", "1.235e-05"),
        ("tensor([0.10, 0.20])", "tensor([0.11, 0.19])"),
        ("-0.0000", "0.0000"),
    ],
)
def test_a_decimal_may_differ_by_one_unit_of_its_last_digit(shown, printed):
    assert same_text(shown, printed)


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("loss 0.3333", "loss 0.3335"),
        ("loss 0.3333", "loss 0.333"),
        ("loss 0.3333", "cost 0.3333"),
        ("50 points", "51 points"),
        ("(50, 1)", "(50, 2)"),
        ("1.234e-05", "1.234e-04"),
        ("0.1", "-0.1"),
        ("nan", "0.0"),
        ("0.1", "0.1\n0.1"),
        ("torch 2.13.0", "torch 2.13.1"),
    ],
)
def test_everything_else_is_exact(shown, printed):
    assert not same_text(shown, printed)


def test_the_shape_of_a_text_is_all_but_its_digits():
    assert same_shape("took 1.5 ms, 3 times", "took  12.25 ms, 10 times")
    assert not same_shape("took 1.5 ms", "took 1.5 s")


def draw(color="C0", top=1.0, label="time"):
    with figures.fresh_matplotlib():
        _, ax = plt.subplots()
        ax.plot([0, 1, 2], [0, 0.5, top], "o", color=color)
        ax.set(xlabel=label, ylim=(0, 2))
        (svg,) = figures.take_open_figures()
    return svg


def test_the_same_data_draw_the_same_file():
    assert draw() == draw()


def test_a_figure_may_differ_by_rounding():
    assert figures.same_figure(draw(), draw(top=1.00001))
    assert draw() != draw(top=1.0001)


@pytest.mark.parametrize("change", [{"color": "C1"}, {"top": 1.01}, {"label": "date"}])
def test_a_figure_with_another_color_point_or_label_is_another_figure(change):
    assert not figures.same_figure(draw(), draw(**change))


def test_a_tick_label_must_be_the_same_to_the_letter():
    assert not figures.same_figure("<text>0.10</text>", "<text>0.12</text>")


def test_a_figure_holds_no_color_that_does_not_follow_light_and_dark():
    style, drawing = draw().split("</style>", maxsplit=1)
    assert "var(--ink)" in drawing
    assert "#1c2430" in style
    assert not any(light in drawing for light, _ in figures.COLORS.values())


def test_a_figure_for_paper_has_no_variables_left():
    svg = figures.for_paper(draw())
    assert "var(" not in svg
    assert "background: #ffffff" in svg
