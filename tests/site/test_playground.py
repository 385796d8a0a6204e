"""The learning-rate playground of page 3: PyTorch's numbers, and every way to work it."""

import gzip
import json
import re

import pytest
import torch
from project import ROOT
from torch import nn

from torch_workflow import LinearRegression, split, straight_line

PAGE = "workflow/3-training/"
SCRIPT = ROOT / "overrides" / "assets" / "playground.js"
AXE = ROOT / "tests" / "site" / "node_modules" / "axe-core" / "axe.min.js"
LOSSES = {"L1": nn.L1Loss(), "MSE": nn.MSELoss()}
RATES = (0.001, 0.01, 0.03, 0.1, 0.2, 0.5, 0.83, 0.9, 3.0)
# On these processors PyTorch adds in the order that the script follows. On others its last bits
# differ, and where the L1 loss swings, one bit decides on which side of a point a line passes.
SAME_ORDER = torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512")
STEPS = 300 if SAME_ORDER else 50
CLOSENESS = {"rtol": 0, "atol": 0} if SAME_ORDER else {"rtol": 1e-5, "atol": 1e-6}

STILL = {"reduced_motion": "reduce", "color_scheme": "light"}
LONG = 5_000  # milliseconds, more than a run of 200 steps takes

DESCEND = """
async ([fiftieths, thousandths, name, rates, start]) => {
  const { LOSSES, lossOf, makeRows, step } = await import("/assets/playground.js");
  const rows = makeRows(fiftieths, thousandths);
  let line = { weight: Math.fround(start[0]), bias: Math.fround(start[1]) };
  const path = [];
  for (const rate of [...rates, 0]) {
    path.push([lossOf(rows, LOSSES[name], line), line.weight, line.bias]);
    line = step(rows, LOSSES[name], rate, line);
  }
  return path;
}
"""


@pytest.fixture(scope="module")
def data():
    """The page's training rows, in fiftieths, and its noise, in thousandths."""
    rows = split(*straight_line(), generator=torch.Generator().manual_seed(42)).train
    generator = torch.Generator().manual_seed(42)
    thousandths = (50 * torch.randn(30, generator=generator)).round().int()
    return rows, (50 * rows.features).round().int().flatten().tolist(), thousandths


def first_line() -> LinearRegression:
    torch.manual_seed(42)
    return LinearRegression()


def descend(data, name: str, rates, *, noisy: bool = False, start=None) -> list[list[float]]:
    """Loss, weight and bias by PyTorch, at the start and after each step."""
    (features, labels), _, thousandths = data
    labels = labels + thousandths.unsqueeze(1) / 1000 if noisy else labels
    model = first_line()
    if start is not None:
        nn.utils.vector_to_parameters(torch.tensor(start), model.parameters())
    optimizer = torch.optim.SGD(model.parameters())
    path = []
    for rate in [*rates, 0.0]:
        optimizer.param_groups[0]["lr"] = rate
        loss = LOSSES[name](model(features), labels)
        path.append([number.item() for number in (loss, *model.parameters())])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return path


def shown(numbers: list[float]) -> list[str]:
    """Numbers as the playground shows them, between 0.000001 and a million."""
    return [f"{number:#.6g}" for number in numbers]


class Playground:
    """The mounted playground, with names for what a reader sees in it."""

    def __init__(self, page):
        self.page = page
        self.element = page.locator("[data-widget=playground]")
        self.element.scroll_into_view_if_needed()
        page.wait_for_selector("[data-widget=playground][data-mounted]")
        self.loss = self.element.get_by_role("combobox")
        self.slider = self.element.get_by_role("slider")
        self.rate = self.element.get_by_role("spinbutton", name="Learning rate")
        self.weight = self.element.get_by_role("spinbutton", name="Start: weight")
        self.bias = self.element.get_by_role("spinbutton", name="Start: bias")
        self.noise = self.element.get_by_role("checkbox")
        self.step = self.element.get_by_role("button", name="Step", exact=True)
        self.run = self.element.get_by_role("button", name=re.compile("^(Run|Pause)"))
        self.reset = self.element.get_by_role("button", name="Reset")
        self.story = self.element.get_by_role("status")
        self.map = self.element.get_by_role("img", name="Map of the loss")

    def numbers(self) -> list[str]:
        """Steps, loss, weight, bias."""
        return self.element.locator("dd").all_inner_texts()

    def steps(self) -> int:
        return int(self.numbers()[0])


@pytest.fixture
def open_playground(open_page):
    def open_playground(**options) -> Playground:
        return Playground(open_page(PAGE, **STILL | options))

    return open_playground


@pytest.fixture(scope="module")
def shared_playground(opener):
    """One for tests that set all that they read."""
    with opener() as open_page:
        yield Playground(open_page(PAGE, **STILL))


@pytest.fixture
def moving_playground(open_page):
    """A playground that is animated, in a page whose time `page.clock` can let pass."""
    page = open_page("404.html", color_scheme="light")
    page.clock.install()
    page.goto(PAGE)
    return Playground(page)


@pytest.mark.parametrize("noisy", [False, True], ids=["plain", "noisy"])
@pytest.mark.parametrize("name", LOSSES)
def test_every_step_has_the_numbers_of_pytorch(open_page, data, name, noisy):
    _, fiftieths, thousandths = data
    noise = thousandths.tolist() if noisy else []
    page = open_page("404.html")
    for rate in RATES:
        for start in ([0.33669036626815796, 0.12880940735340118], [-0.4, 1.3]):
            rates = [rate] * STEPS
            expected = torch.tensor(descend(data, name, rates, noisy=noisy, start=start))
            given = torch.tensor(page.evaluate(DESCEND, [fiftieths, noise, name, rates, start]))
            end = first_infinite(expected[:, 0])
            assert first_infinite(given[:, 0]) == end
            torch.testing.assert_close(given[:end], expected[:end], **CLOSENESS)


def first_infinite(losses: torch.Tensor) -> int:
    return (*(~losses.isfinite()).nonzero().flatten().tolist(), len(losses))[0]


def test_the_page_gives_the_playground_its_data(open_page, data):
    _, fiftieths, thousandths = data
    page = open_page(PAGE, java_script_enabled=False)
    shown = page.locator("[data-widget=playground] code").all_inner_texts()
    weight, bias = (p.item() for p in first_line().parameters())
    assert list(map(json.loads, shown[:2])) == [fiftieths, thousandths.tolist()]
    assert torch.tensor(list(map(float, shown[2:]))).equal(torch.tensor([weight, bias]))


def test_without_javascript_the_figure_of_three_descents_is_there(open_page):
    page = open_page(PAGE, java_script_enabled=False)
    assert page.get_by_role("img", name="Three maps of the loss").is_visible()
    assert (
        "needs a browser with JavaScript" in page.locator("[data-widget=playground]").inner_text()
    )


def test_all_of_it_works_by_keyboard(open_playground, data):
    playground = open_playground()
    press = playground.page.keyboard.press
    playground.loss.focus()
    press("M")
    press("Tab")
    press("Home")
    assert playground.rate.input_value() == "0.001"
    press("End")
    assert playground.rate.input_value() == "3"
    press("Tab")
    press("Control+A")
    playground.page.keyboard.type("0.25")
    press("Tab")
    press("Tab")
    press("Tab")
    press("Space")
    assert playground.noise.is_checked()
    press("Tab")
    press("Enter")
    press("Space")
    path = descend(data, "MSE", [0.25] * 200, noisy=True)
    assert playground.numbers() == ["2", *shown(path[2])]
    press("Tab")
    press("Enter")
    assert playground.numbers() == ["200", *shown(path[200])]
    press("Tab")
    press("Enter")
    assert playground.numbers() == ["0", *shown(path[0])]


def test_a_learning_rate_takes_effect_with_the_next_step(open_playground, data):
    playground = open_playground()
    playground.run.click()
    playground.rate.fill("0.001")
    assert playground.steps() == 200
    playground.run.click()
    path = descend(data, "L1", [0.01] * 200 + [0.001] * 200)
    assert playground.numbers() == ["400", *shown(path[400])]
    low, high = sorted(row[0] for row in path[399:])
    assert f"it swings between {high:#.6g} and {low:#.6g}" in playground.story.inner_text()


def test_the_story_tells_whether_the_loss_falls_or_rises(open_playground):
    playground = open_playground()
    playground.loss.select_option("MSE")
    assert playground.story.inner_text() == "At the start the loss is 0.127954."
    playground.step.click()
    assert playground.story.inner_text().endswith(": it fell in the last step.")
    playground.rate.fill("2")
    playground.step.click()
    assert playground.story.inner_text().startswith("After 2 steps the loss is ")
    assert ": it rose in the last step." in playground.story.inner_text()


def test_a_descent_that_leaves_the_map_says_so(open_playground, data):
    playground = open_playground()
    playground.loss.select_option("MSE")
    playground.rate.fill("0.83")
    path = descend(data, "MSE", [0.83] * 30)
    left = [min(place) >= -0.5 and max(place) <= 1.5 for _, *place in path].index(False)
    for step in range(1, left + 1):
        playground.step.click()
        away = step == left
        assert (playground.map.get_by_text("outside this map").count() == 1) == away
        assert ("outside the map" in playground.story.inner_text()) == away
    assert playground.numbers() == [str(left), *shown(path[left])]


def test_a_descent_that_diverges_ends_and_keeps_its_numbers(open_playground, data):
    playground = open_playground()
    playground.loss.select_option("MSE")
    playground.rate.fill("0.9")
    playground.run.click()
    playground.run.click()
    end = first_infinite(torch.tensor(descend(data, "MSE", [0.9] * 400))[:, 0])
    told = playground.story.inner_text()
    assert told.startswith(f"The loss is inf after {end} steps: the training has diverged.")
    numbers = playground.numbers()
    assert numbers[:2] == [str(end), "inf"]
    assert all(re.fullmatch(r"-?\d\.\d{5}e\+\d\d", number) for number in numbers[2:])
    for button in (playground.step, playground.run):
        assert button.get_attribute("aria-disabled") == "true"
        button.click(force=True)
    assert playground.numbers() == numbers
    playground.reset.click()
    assert playground.steps() == 0
    assert playground.step.get_attribute("aria-disabled") == "false"


def test_a_run_is_animated_and_can_be_paused(moving_playground, data):
    playground = moving_playground
    playground.run.click()
    playground.page.wait_for_function("document.querySelector('.playground dd').innerText > 3")
    assert playground.run.inner_text() == "Pause"
    playground.run.click()
    steps = playground.steps()
    assert 3 < steps < 200
    playground.page.wait_for_timeout(100)
    assert playground.steps() == steps
    playground.run.click()
    playground.page.clock.run_for(LONG)
    assert playground.run.inner_text() == "Run to step 400"
    path = descend(data, "L1", [0.01] * 200)
    assert playground.numbers() == ["200", *shown(path[200])]


def test_a_run_keeps_its_learning_rate_while_another_is_typed(moving_playground, data):
    playground = moving_playground
    playground.run.click()
    playground.rate.fill("")
    playground.page.clock.run_for(LONG)
    assert playground.numbers()[1:] == shown(descend(data, "L1", [0.01] * 200)[200])


def test_less_motion_shows_the_result_at_once(open_playground):
    playground = open_playground(reduced_motion="reduce")
    steps = playground.run.evaluate(
        "button => { button.click(); return document.querySelector('.playground dd').innerText; }"
    )
    assert steps == "200"


def test_a_run_is_told_once(moving_playground):
    playground = moving_playground
    playground.story.evaluate(
        """story => {
          window.told = [];
          const listen = () => told.push(story.innerText);
          new MutationObserver(listen).observe(story, { childList: true });
        }"""
    )
    playground.run.click()
    playground.page.clock.run_for(LONG)
    assert playground.page.evaluate("told") == [playground.story.inner_text()]


def test_a_field_without_a_usable_number_takes_the_value_of_the_page(open_playground):
    playground = open_playground()
    for field, wrong, usual in (
        (playground.rate, "0", "0.01"),
        (playground.weight, "", "0.336690366"),
        (playground.bias, "99", "0.128809407"),
    ):
        field.fill(wrong)
        playground.reset.click()
        assert field.input_value() == usual
    playground.rate.fill("0.0001")
    assert playground.slider.get_attribute("aria-valuetext") == "0.0001"


def test_a_click_on_the_map_is_a_start(open_playground):
    playground = open_playground()
    playground.step.click()
    box = playground.map.locator(".frame").bounding_box()
    quarter = {"x": box["x"] + box["width"] / 4, "y": box["y"] + box["height"] / 4}
    playground.page.mouse.click(**quarter)
    assert float(playground.weight.input_value()) == pytest.approx(0, abs=0.02)
    assert float(playground.bias.input_value()) == pytest.approx(1, abs=0.02)
    assert playground.steps() == 0


@pytest.mark.parametrize("noisy", [False, True], ids=["plain", "noisy"])
@pytest.mark.parametrize("name", LOSSES)
def test_the_loss_is_the_same_all_along_a_contour(shared_playground, data, name, noisy):
    playground = shared_playground
    playground.loss.select_option(name)
    playground.noise.set_checked(noisy)
    (features, labels), _, thousandths = data
    labels = labels + thousandths.unsqueeze(1) / 1000 if noisy else labels
    frame = playground.map.locator(".frame").evaluate(
        "frame => ['x', 'y', 'width', 'height'].map((name) => frame[name].baseVal.value)"
    )
    left, top, width, height = frame
    contours = playground.map.locator("polygon").evaluate_all(
        "all => all.map((one) => [...one.points].map(({ x, y }) => [x, y]))"
    )
    assert len(contours) == 10
    levels = []
    for contour in torch.tensor(contours):
        weights = 2 * (contour[:, 0] - left) / width - 0.5
        biases = 1.5 - 2 * (contour[:, 1] - top) / height
        lines = zip(weights, biases, strict=True)
        losses = torch.stack([LOSSES[name](w * features + b, labels) for w, b in lines])
        assert losses.max() - losses.min() < 0.01 * losses.mean()
        levels.append(losses.mean().item())
    assert levels == sorted(levels)


def test_the_drawings_follow_the_palette_at_once(open_playground):
    playground = open_playground()
    line = playground.element.locator("polyline").first
    color = "line => getComputedStyle(line).stroke"
    light = line.evaluate(color)
    playground.page.evaluate("document.body.dataset.mdColorScheme = 'slate'")
    assert line.evaluate(color) != light


@pytest.mark.parametrize(("scheme", "width"), [("light", 390), ("dark", 1280)])
def test_it_shows_everyone_everything(open_playground, scheme, width):
    playground = open_playground(
        viewport={"width": width, "height": 900}, color_scheme=scheme, has_touch=width == 390
    )
    page = playground.page
    playground.loss.select_option("MSE")
    playground.rate.fill("0.9")
    playground.run.click()
    playground.run.click()
    page.evaluate(AXE.read_text())
    found = page.evaluate("axe.run('[data-widget=playground]', { preload: false })")
    assert [(rule["id"], rule["nodes"]) for rule in found["violations"]] == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    for control in playground.element.locator("input, select, button").all():
        box = control.bounding_box()
        assert min(box["width"], box["height"]) >= 24


def test_the_script_is_small():
    assert len(gzip.compress(SCRIPT.read_bytes())) < 8_000
