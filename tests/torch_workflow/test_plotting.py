"""The course's figures, by what they draw."""

import math
import warnings

import matplotlib
import matplotlib.pyplot as plt
import pytest
import torch
from torch import nn

from torch_workflow import (
    History,
    plot_data,
    plot_loss_surface,
    plot_losses,
    plot_residuals,
    straight_line,
)

matplotlib.use("Agg")

LINE = straight_line(4)
HISTORY = History(train_loss=[3.0, 2.0, 1.0], validation_loss=[4.0, 2.5, 2.0])

EVERY_PLOT = pytest.mark.parametrize(
    "plot",
    [
        lambda **ax: plot_data(LINE, **ax),
        lambda **ax: plot_losses(HISTORY, **ax),
        lambda **ax: plot_residuals(*LINE, LINE.labels, **ax),
        lambda **ax: plot_loss_surface(*LINE, nn.L1Loss(), **ax),
    ],
    ids=["data", "losses", "residuals", "loss surface"],
)


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def points(line) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in zip(*line.get_data(), strict=True)]


def lines_by_label(ax) -> dict:
    return {line.get_label(): line for line in ax.lines}


def legend(ax) -> list[str]:
    return [text.get_text() for text in ax.get_legend().get_texts()]


@EVERY_PLOT
def test_a_plot_draws_on_the_axes_it_is_given(plot):
    _, (first, second) = plt.subplots(1, 2)
    assert plot(ax=first) is first
    assert first.has_data()
    assert not second.has_data()


@EVERY_PLOT
def test_a_plot_without_axes_makes_a_new_figure(plot):
    _, earlier = plt.subplots()
    assert plot().figure is not earlier.figure
    assert len(plt.get_fignums()) == 2


@EVERY_PLOT
def test_both_axes_of_a_plot_are_named(plot):
    ax = plot()
    assert ax.get_xlabel()
    assert ax.get_ylabel()


def test_data_are_drawn_point_by_point_with_a_name_for_each_part():
    parts = [(torch.tensor([[x]]), torch.tensor([[x + 1]])) for x in (1.0, 2.0, 3.0)]
    ax = plot_data(*parts)
    drawn = {label: points(line) for label, line in lines_by_label(ax).items()}
    assert drawn == {"train": [(1, 2)], "validation": [(2, 3)], "test": [(3, 4)]}


def test_the_legend_names_only_the_parts_that_are_given():
    assert legend(plot_data(LINE, test=LINE)) == ["train", "test"]


def test_a_part_has_the_same_color_whichever_others_are_drawn():
    alone = lines_by_label(plot_data(LINE, test=LINE))["test"].get_color()
    among_others = lines_by_label(plot_data(LINE, LINE, LINE))["test"].get_color()
    assert alone == among_others


def test_predictions_are_a_line_from_left_to_right():
    shuffled = torch.tensor([[2.0], [0.0], [1.0]])
    ax = plot_data(LINE, predictions=(shuffled, 10 * shuffled))
    line = lines_by_label(ax)["prediction"]
    assert line.get_linestyle() == "-"
    assert points(line) == [(0, 0), (1, 10), (2, 20)]


def test_predictions_that_require_gradients_are_drawn():
    predicted = LINE.labels.clone().requires_grad_()
    drawn = lines_by_label(plot_data(LINE, predictions=(LINE.features, predicted)))["prediction"]
    assert [y for _, y in points(drawn)] == LINE.labels.flatten().tolist()


def test_losses_are_drawn_against_epochs_counted_from_1():
    drawn = {label: points(line) for label, line in lines_by_label(plot_losses(HISTORY)).items()}
    assert drawn == {
        "train": [(1, 3), (2, 2), (3, 1)],
        "validation": [(1, 4), (2, 2.5), (3, 2)],
    }


def test_losses_are_on_a_logarithmic_scale():
    ax = plot_losses(HISTORY)
    assert (ax.get_xscale(), ax.get_yscale()) == ("linear", "log")


def test_the_baseline_is_a_level_line_with_a_name():
    ax = plot_losses(HISTORY, baseline=2.5)
    assert set(lines_by_label(ax)["baseline"].get_ydata()) == {2.5}
    assert legend(ax) == ["train", "validation", "baseline"]


def test_a_baseline_of_0_is_drawn_too():
    assert "baseline" in lines_by_label(plot_losses(HISTORY, baseline=0.0))


def test_a_residual_is_the_label_minus_the_prediction_at_its_feature():
    features, labels = torch.tensor([[1.0], [2.0]]), torch.tensor([[5.0], [5.0]])
    predictions = torch.tensor([[4.0], [7.0]], requires_grad=True)
    (stems,) = plot_residuals(features, labels, predictions).containers
    assert points(stems.markerline) == [(1, 1), (2, -2)]


def test_residuals_have_a_level_line_at_0():
    ax = plot_residuals(*LINE, LINE.labels)
    (level,) = (line for line in ax.lines if line not in ax.containers[0].get_children())
    assert level.get_xdata() == [0, 1]  # from edge to edge, in parts of the width
    assert level.get_ydata() == [0, 0]


def test_the_loss_surface_covers_the_ranges_of_weights_and_biases():
    ax = plot_loss_surface(*LINE, nn.L1Loss(), weights=(-2, 3), biases=(0, 1))
    assert ax.get_xlim() == pytest.approx((-2, 3))
    assert ax.get_ylim() == pytest.approx((0, 1))


def test_the_loss_surface_shows_the_loss_of_each_weight_and_bias():
    # The mean prediction for features of 0 is the bias, so each band is as high as its levels say.
    ax = plot_loss_surface(torch.zeros(2, 1), torch.zeros(2, 1), lambda p, _: p.mean())
    (surface,) = ax.collections
    bottom, top = surface.levels[5:7]
    band = surface.get_paths()[5].get_extents()
    assert (band.x0, band.x1) == pytest.approx((-0.5, 1.5))
    assert (band.y0, band.y1) == pytest.approx((bottom, top))


def test_the_loss_surface_has_a_scale_named_loss():
    ax = plot_loss_surface(*LINE, nn.L1Loss())
    _, scale = ax.figure.axes
    assert scale.get_ylabel() == "loss"


def test_the_scale_of_a_loss_surface_tells_small_losses_apart():
    ax = plot_loss_surface(*LINE, lambda p, y: 1e-6 * nn.functional.mse_loss(p, y))
    ax.figure.canvas.draw()
    numbers = [label.get_text() for label in ax.figure.axes[1].get_yticklabels()]
    assert len(set(numbers)) == len(numbers) > 2


def test_a_loss_surface_may_be_below_0_everywhere():
    ax = plot_loss_surface(*LINE, lambda p, y: nn.functional.l1_loss(p, y) - 100)
    (surface,) = ax.collections
    assert surface.levels.max() < 0


def test_a_loss_surface_may_have_the_same_loss_everywhere():
    ax = plot_loss_surface(*LINE, lambda p, y: torch.tensor(0.25))
    (surface,) = ax.collections
    assert surface.levels.min() <= 0.25 <= surface.levels.max()
    ax.figure.canvas.draw()


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_surface_with_a_loss_that_is_not_finite_is_refused(value):
    def loss_function(predictions, labels):
        return nn.functional.l1_loss(predictions, labels) * (value if predictions[0] > 1 else 1)

    with pytest.raises(ValueError) as raised:
        plot_loss_surface(*LINE, loss_function)  # the biases above 1 are 15 of 61
    assert str(raised.value) == (
        "the loss is nan or infinite at 915 of 3721 points of the map: "
        "choose other weights and biases"
    )


def test_a_refused_loss_surface_leaves_the_axes_alone():
    _, ax = plt.subplots()
    with pytest.raises(ValueError, match="nan or infinite"):
        plot_loss_surface(*LINE, lambda p, y: torch.tensor(math.nan), ax=ax)
    assert not ax.has_data()


def test_a_refused_loss_surface_leaves_no_figure():
    with pytest.raises(ValueError, match="nan or infinite"):
        plot_loss_surface(*LINE, lambda p, y: torch.tensor(math.nan))
    assert plt.get_fignums() == []


def test_the_path_is_drawn_across_the_surface_and_its_end_marked():
    path = [(0.0, 0.0), (0.5, 0.25), (0.75, 0.25)]
    steps, end = plot_loss_surface(*LINE, nn.L1Loss(), path=path).lines
    assert points(steps) == path
    assert (points(end), end.get_marker()) == ([path[-1]], "*")


def test_a_loss_surface_needs_no_path():
    assert len(plot_loss_surface(*LINE, nn.L1Loss()).lines) == 0


def test_a_loss_surface_of_features_that_require_gradients_is_drawn_without_a_warning():
    features = LINE.features.clone().requires_grad_()
    torch.set_warn_always(True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            plot_loss_surface(features, LINE.labels, nn.L1Loss())
    finally:
        torch.set_warn_always(False)
