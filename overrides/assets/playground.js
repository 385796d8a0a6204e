// The learning-rate playground: gradient descent on the course's line, with PyTorch's numbers.
// Every operation is rounded to float32 in PyTorch's order on a CPU with AVX2.

const round = Math.fround;

export const LOSSES = {
  L1: {
    title: "L1 (mean absolute error)",
    value: Math.abs,
    slope: (error, rows) => Math.sign(error) * round(1 / rows),
  },
  MSE: {
    title: "MSE (mean squared error)",
    value: (error) => round(error * error),
    slope: (error, rows) => round(round(2 / rows) * error),
  },
};

// Features i / 50, labels 0.7 x + 0.3, and on top of them noise in thousandths.
export function makeRows(fiftieths, thousandths = []) {
  const features = fiftieths.map((i) => round(i / 50));
  const labels = features.map((x, row) => {
    const label = round(round(round(0.7) * x) + round(0.3));
    return round(label + round((thousandths[row] ?? 0) / 1000));
  });
  return { features, labels };
}

// PyTorch adds up eight columns side by side: the leftover values come first, then each column.
function sum(values) {
  const end = values.length - (values.length % 8);
  let total = values.slice(end).reduce((a, b) => round(a + b), 0);
  for (let column = 0; column < 8; column++) {
    let part = 0;
    for (let i = column; i < end; i += 8) part = round(part + values[i]);
    total = round(total + part);
  }
  return total;
}

function errorsOf({ features, labels }, { weight, bias }) {
  return features.map((x, row) => round(round(round(weight * x) + bias) - labels[row]));
}

export function lossOf(rows, loss, line) {
  return round(sum(errorsOf(rows, line).map(loss.value)) / rows.labels.length);
}

// One step of SGD on all rows; like the processor, it multiplies and subtracts with one rounding.
export function step(rows, loss, rate, line) {
  const slopes = errorsOf(rows, line).map((error) => loss.slope(error, rows.labels.length));
  const weightSlope = sum(slopes.map((slope, row) => round(slope * rows.features[row])));
  return {
    weight: round(line.weight - round(rate) * weightSlope),
    bias: round(line.bias - round(rate) * sum(slopes)),
  };
}

export function leastSquares({ features, labels }) {
  const mean = (values) => values.reduce((a, b) => a + b) / values.length;
  const [x, y] = [mean(features), mean(labels)];
  const covariance = mean(features.map((feature, row) => (feature - x) * (labels[row] - y)));
  const weight = covariance / mean(features.map((feature) => (feature - x) ** 2));
  return { weight, bias: y - weight * x };
}

function surfaceOf({ features, labels }, loss) {
  return (weight, bias) => {
    let total = 0;
    for (let row = 0; row < labels.length; row++) {
      total += loss.value(weight * features[row] + bias - labels[row]);
    }
    return total / labels.length;
  };
}

// The loss is convex: along every ray from the center it reaches a level above the center's once,
// at a distance that halving finds.
function contour(lossAt, { weight, bias }, level) {
  return Array.from({ length: 120 }, (_, ray) => {
    const [across, up] = [Math.cos((ray * Math.PI) / 60), Math.sin((ray * Math.PI) / 60)];
    let [near, far] = [0, 8];
    for (let halving = 0; halving < 20; halving++) {
      const middle = (near + far) / 2;
      if (lossAt(weight + middle * across, bias + middle * up) < level) near = middle;
      else far = middle;
    }
    return [weight + near * across, bias + near * up];
  });
}

const MAP = [-0.5, 1.5]; // of weights and of biases
const STRIDE = 200; // steps that a run takes
const FAR = 1e6; // pixels; what is further away is not drawn

function draw(tag, attributes = {}, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

function make(tag, properties = {}, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
}

let plots = 0;

// A drawing with axes: `x` and `y` are a title, a range and ticks, each a value and its text.
function plot(name, x, y) {
  const [left, right, top, bottom] = [52, 314, 8, 216];
  const clip = `playground-clip-${plots++}`;
  const axes = draw("g");
  const inside = draw("g", { "clip-path": `url(#${clip})` });
  const frame = { x: left, y: top, width: right - left, height: bottom - top };
  const svg = draw(
    "svg",
    { viewBox: "0 0 330 256", role: "img", "aria-label": name },
    draw("clipPath", { id: clip }, draw("rect", frame)),
    axes,
    inside,
    draw("rect", { ...frame, class: "frame" }),
  );
  const chart = { svg, inside };
  chart.setAxes = (x, y) => {
    chart.across = (value) =>
      left + ((value - x.range[0]) / (x.range[1] - x.range[0])) * (right - left);
    chart.up = (value) =>
      bottom - ((value - y.range[0]) / (y.range[1] - y.range[0])) * (bottom - top);
    chart.valuesAt = (column, line) => [
      x.range[0] + ((column - left) / (right - left)) * (x.range[1] - x.range[0]),
      y.range[0] + ((bottom - line) / (bottom - top)) * (y.range[1] - y.range[0]),
    ];
    axes.replaceChildren(
      ...x.ticks.map(([value, text]) =>
        draw("text", { x: chart.across(value), y: bottom + 16, "text-anchor": "middle" }, text),
      ),
      ...y.ticks.map(([value, text]) =>
        draw("text", { x: left - 6, y: chart.up(value) + 4, "text-anchor": "end" }, text),
      ),
      draw("text", { x: (left + right) / 2, y: 250, "text-anchor": "middle" }, x.title),
      draw("text", { transform: "rotate(-90)", x: -112, y: 11, "text-anchor": "middle" }, y.title),
    );
  };
  chart.trace = (points) => {
    const places = points.map(([a, b]) => [chart.across(a), chart.up(b)]);
    const lost = places.findIndex((place) => !place.every((p) => Math.abs(p) < FAR));
    const seen = lost < 0 ? places : places.slice(0, lost);
    return seen.map((place) => place.map((p) => p.toFixed(2)).join()).join(" ");
  };
  chart.setAxes(x, y);
  return chart;
}

const tenths = (...values) => values.map((value) => [value, value.toFixed(1).replace("-", "−")]);

function decade(exponent) {
  return Math.abs(exponent) > 3 ? `1e${exponent}` : String(10 ** exponent);
}

// The decades that hold all losses, a tick at no more than seven of them.
function decades(losses) {
  const exponents = losses.filter((loss) => loss > 0 && loss < Infinity).map(Math.log10);
  const least = Math.max(-16, Math.floor(Math.min(-3, ...exponents)));
  const most = Math.ceil(Math.max(0, ...exponents));
  const stride = Math.ceil((most - least) / 6);
  const ticks = [];
  for (let exponent = least; exponent <= most; exponent += stride) {
    ticks.push([exponent, decade(exponent)]);
  }
  return { range: [least, most], ticks };
}

function show(number) {
  if (Number.isNaN(number)) return "nan";
  return Number.isFinite(number) ? number.toPrecision(6) : number > 0 ? "inf" : "-inf";
}

const isOnMap = ({ weight, bias }) =>
  [weight, bias].every((value) => value >= MAP[0] && value <= MAP[1]);

// What has happened, in words.
function tell(path) {
  const steps = path.length - 1;
  const [now, before, earlier] = path.slice(-3).reverse();
  const count = steps === 1 ? "1 step" : `${steps} steps`;
  if (!Number.isFinite(now.loss)) {
    const end = `The loss is ${show(now.loss)} after ${count}: the training has diverged.`;
    return `${end} Choose a smaller learning rate and reset.`;
  }
  if (steps === 0) return `At the start the loss is ${show(now.loss)}.`;
  const change = now.loss - before.loss;
  const turns = earlier && change * (before.loss - earlier.loss) < 0;
  const swings = turns && Math.abs(now.loss - earlier.loss) < 0.01 * Math.abs(change);
  const move = swings
    ? `it swings between ${show(before.loss)} and ${show(now.loss)}`
    : change > 0
      ? "it rose in the last step"
      : change < 0
        ? "it fell in the last step"
        : "it is what it was a step before";
  const place = isOnMap(now) ? "" : " The dot is outside the map.";
  return `After ${count} the loss is ${show(now.loss)}: ${move}.${place}`;
}

const STYLE = `
.playground { border: .05rem solid var(--rule); border-radius: .2rem; padding: .8rem; margin-block: 1.5em; font-size: .7rem; }
.playground :is(.settings, .parts) { display: grid; gap: .6rem .8rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 12.5rem), 1fr)); }
.playground .settings { margin-bottom: .8rem; }
.playground .pair { display: grid; grid-template-columns: 1fr 1fr; gap: .6rem; }
.playground .rate { grid-template-columns: 1fr 5rem; align-items: end; }
.playground :is(label, figcaption) { color: var(--ink-soft); display: block; }
.playground :is(input, select, button) { box-sizing: border-box; display: block; width: 100%; min-height: 2.2rem; margin: 0; padding: 0 .5rem; border: .05rem solid var(--ink-soft); border-radius: .2rem; background: var(--md-default-bg-color); color: var(--ink); font: inherit; font-variant-numeric: tabular-nums; }
.playground input[type=range] { padding: 0; border: 0; accent-color: var(--accent); }
.playground input[type=checkbox] { flex: none; width: 1.2rem; min-height: 1.2rem; accent-color: var(--accent); }
.playground .noise { display: flex; align-items: center; gap: .5rem; align-self: end; min-height: 2.2rem; color: var(--ink); }
.playground .buttons { display: flex; gap: .5rem; }
.playground button { cursor: pointer; font-weight: 600; width: auto; flex: 1 1 auto; white-space: nowrap; }
.playground button:hover { border-color: var(--accent); color: var(--accent); }
.playground button[aria-disabled=true] { border-style: dashed; color: var(--ink-soft); cursor: default; }
.playground :is(input, select, button):focus-visible { outline: .1rem solid var(--accent); outline-offset: .1rem; }
.playground dl { display: grid; grid-template-columns: auto 1fr; gap: 0 .8rem; margin: .8rem 0; font-variant-numeric: tabular-nums; }
.playground dt { color: var(--ink-soft); }
.playground :is(dd, p) { margin: 0; }
.playground p { min-height: 4.8em; }
.playground figure { margin: 0; width: 100%; max-width: none; text-align: left; }
.playground figcaption { margin: 0; max-width: none; font-style: normal; }
.playground svg { display: block; width: 100%; }
.playground svg text { fill: var(--ink); font-size: 12px; }
.playground .frame { fill: none; stroke: var(--ink-soft); pointer-events: none; }
.playground .map { cursor: crosshair; touch-action: manipulation; }
.playground .contour { fill: var(--accent); fill-opacity: .06; stroke: var(--accent); stroke-opacity: .5; stroke-width: .7; }
.playground .line { fill: none; stroke: var(--ink); stroke-width: 1.5; stroke-linejoin: round; }
.playground .thin { stroke-width: 1; }
.playground .point { fill: var(--accent); }
.playground .now { fill: var(--ink); stroke: var(--md-default-bg-color); }
.playground .start { fill: var(--md-default-bg-color); stroke: var(--ink); stroke-width: 1.5; }
.playground .best { stroke: var(--ink); stroke-width: 2; }
@media (max-width: 30em) { .playground .run { order: -2; } .playground figure:has(.map) { order: -1; } }
@media (pointer: coarse) { .playground :is(input, select) { font-size: max(1em, 16px); } }
.playground .note { paint-order: stroke; stroke: var(--md-default-bg-color); stroke-width: 4px; font-weight: 600; }
`;

function addStyle() {
  if (document.getElementById("playground-style")) return;
  document.head.append(make("style", { id: "playground-style", textContent: STYLE }));
}

export default function mount(element) {
  const shown = [...element.querySelectorAll("code")].map((code) => JSON.parse(code.textContent));
  const [fiftieths, thousandths, weight, bias] = shown;
  const data = { plain: makeRows(fiftieths), noisy: makeRows(fiftieths, thousandths) };
  addStyle();

  const number = (defaultValue, min, max) =>
    make("input", { type: "number", step: "any", required: true, min, max, defaultValue });
  const lossMenu = make(
    "select",
    {},
    ...Object.entries(LOSSES).map(([value, { title }]) => make("option", { value }, title)),
  );
  const noiseBox = make("input", { type: "checkbox" });
  const rateField = number(0.01, 0.0001, 10);
  const rateSlider = make("input", {
    type: "range",
    min: -3,
    max: Math.log10(3),
    step: "any",
    value: -2,
    ariaLabel: "Learning rate, from 0.001 to 3",
  });
  const weightField = number(weight, -10, 10);
  const biasField = number(bias, -10, 10);
  const stepButton = make("button", { type: "button" }, "Step");
  const runButton = make("button", { type: "button" });
  const resetButton = make("button", { type: "button" }, "Reset");
  const values = { Steps: make("dd"), Loss: make("dd"), Weight: make("dd"), Bias: make("dd") };
  const story = make("p", { role: "status" });

  const unit = tenths(0, 0.2, 0.4, 0.6, 0.8, 1);
  const lineChart = plot(
    "The training points and the line",
    { title: "feature", range: [-0.04, 1.04], ticks: unit },
    { title: "label", range: [-0.1, 1.3], ticks: [...unit, [1.2, "1.2"]] },
  );
  const mapTicks = tenths(-0.5, 0, 0.5, 1, 1.5);
  const map = plot(
    "Map of the loss: contours over weight and bias, and the path of the descent",
    { title: "weight", range: MAP, ticks: mapTicks },
    { title: "bias", range: MAP, ticks: mapTicks },
  );
  map.svg.classList.add("map");
  const curve = plot(
    "The loss at every step, on a logarithmic scale",
    { title: "step", range: [0, STRIDE], ticks: [] },
    { title: "loss", range: [-3, 0], ticks: [] },
  );
  const points = draw("g");
  const line = draw("polyline", { class: "line" });
  lineChart.inside.append(points, line);
  const surface = draw("g");
  const trail = draw("polyline", { class: "line thin" });
  const start = draw("circle", { class: "start", r: 4 });
  const best = draw("path", { class: "best", d: "M-8-8 8 8M-8 8 8-8" });
  const now = draw("circle", { class: "now", r: 5 });
  const note = draw("text", { class: "note", x: 183, y: 26, "text-anchor": "middle" });
  map.inside.append(surface, trail, start, best, now, note);
  const lossLine = draw("polyline", { class: "line thin" });
  curve.inside.append(lossLine);

  let rate; // the last that could be used, while another is typed
  let loss, rows, path, target, frame;
  const last = () => path.at(-1);
  const isOver = () => !Number.isFinite(last().loss);
  const record = (place) => path.push({ ...place, loss: lossOf(rows, loss, place) });
  const takeStep = () => record(step(rows, loss, rate, last()));

  function drawSurface() {
    const center = leastSquares(rows);
    const lossAt = surfaceOf(rows, loss);
    const least = lossAt(center.weight, center.bias);
    const span = lossAt(MAP[1], MAP[1]) - least;
    const levels = Array.from({ length: 10 }, (_, k) => least + span * ((k + 1) / 10) ** 2);
    surface.replaceChildren(
      ...levels.map((level) => {
        const points = map.trace(contour(lossAt, center, level));
        return draw("polygon", { class: "contour", points });
      }),
    );
    best.setAttribute("transform", `translate(${map.trace([[center.weight, center.bias]])})`);
    points.replaceChildren(
      ...rows.features.map((x, row) =>
        draw("circle", {
          class: "point",
          cx: lineChart.across(x),
          cy: lineChart.up(rows.labels[row]),
          r: 3,
        }),
      ),
    );
  }

  function place(circle, spot) {
    const at = map.trace([[spot.weight, spot.bias]]);
    circle.setAttribute("visibility", at ? "visible" : "hidden");
    if (at) circle.setAttribute("transform", `translate(${at})`);
  }

  function render() {
    const { weight, bias } = last();
    line.setAttribute("points", lineChart.trace([-1, 2].map((x) => [x, weight * x + bias])));
    trail.setAttribute("points", map.trace(path.map((spot) => [spot.weight, spot.bias])));
    place(start, path[0]);
    place(now, last());
    note.textContent = isOnMap(last()) ? "" : "outside this map";
    const losses = path.map((spot) => spot.loss);
    const { range, ticks } = decades(losses);
    curve.setAxes(
      { title: "step", range: [0, target], ticks: [0, target / 2, target].map((k) => [k, k]) },
      { title: `loss (${lossMenu.value})`, range, ticks },
    );
    const heights = losses.map((value, k) => [k, Math.max(Math.log10(value), range[0])]);
    lossLine.setAttribute("points", curve.trace(heights));
    values.Steps.textContent = path.length - 1;
    values.Loss.textContent = show(last().loss);
    values.Weight.textContent = show(weight);
    values.Bias.textContent = show(bias);
    runButton.textContent = frame ? "Pause" : `Run to step ${nextTarget()}`;
    for (const button of [stepButton, runButton]) button.ariaDisabled = String(isOver());
  }

  const nextTarget = () => (Math.floor((path.length - 1) / STRIDE) + 1) * STRIDE;

  function stop() {
    cancelAnimationFrame(frame);
    frame = undefined;
    render();
    story.textContent = tell(path);
  }

  function reset() {
    loss = LOSSES[lossMenu.value];
    rows = noiseBox.checked ? data.noisy : data.plain;
    path = [];
    record({ weight: round(weightField.valueAsNumber), bias: round(biasField.valueAsNumber) });
    target = STRIDE;
    stop();
  }

  function advance(steps) {
    while (steps-- > 0 && !isOver()) takeStep();
  }

  // Slow at first and then faster: 20 steps in the first second, 200 in four.
  function run() {
    const from = path.length - 1;
    target = nextTarget();
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) {
      advance(target - from);
      return stop();
    }
    let began;
    const tick = (time) => {
      began ??= time;
      const seconds = (time - began) / 1000;
      const due = Math.min(target, from + Math.ceil(10 * seconds * (1 + seconds)));
      advance(due - (path.length - 1));
      if (due === target || isOver()) return stop();
      frame = requestAnimationFrame(tick);
      render();
    };
    frame = requestAnimationFrame(tick);
    render();
  }

  stepButton.addEventListener("click", () => {
    if (!isOver()) {
      target = Math.max(target, nextTarget());
      advance(1);
    }
    stop();
  });
  runButton.addEventListener("click", () => (frame || isOver() ? stop() : run()));
  resetButton.addEventListener("click", reset);
  const redraw = () => {
    reset();
    drawSurface();
  };
  lossMenu.addEventListener("change", redraw);
  noiseBox.addEventListener("change", redraw);
  const useRate = () => {
    rate = rateField.valueAsNumber;
    rateSlider.ariaValueText = rateField.value;
  };
  rateSlider.addEventListener("input", () => {
    rateField.value = Number((10 ** rateSlider.value).toPrecision(2));
    useRate();
  });
  // A field holds a number that can be used: the page's own, where the reader leaves none.
  const whenValid = (field, act) => {
    field.addEventListener("input", () => field.checkValidity() && act());
    field.addEventListener("change", () => {
      if (!field.checkValidity()) field.value = field.defaultValue;
      act();
    });
  };
  whenValid(rateField, () => {
    rateSlider.value = Math.log10(rateField.value);
    useRate();
  });
  whenValid(weightField, reset);
  whenValid(biasField, reset);
  map.svg.addEventListener("click", (event) => {
    const box = map.svg.getBoundingClientRect();
    const scale = 330 / box.width;
    const [column, line] = [event.clientX - box.left, event.clientY - box.top];
    const [weight, bias] = map.valuesAt(column * scale, line * scale);
    if (!isOnMap({ weight, bias })) return;
    weightField.value = weight.toFixed(2);
    biasField.value = bias.toFixed(2);
    reset();
  });

  const terms = Object.entries(values).flatMap(([name, value]) => [make("dt", {}, name), value]);
  const labelled = (text, control) => make("label", {}, text, control);
  const figure = (chart, caption) =>
    make("figure", {}, chart.svg, ...(caption ? [make("figcaption", {}, caption)] : []));
  const pair = (...children) => make("div", { className: "pair" }, ...children);
  const rateControls = pair(labelled("Learning rate", rateSlider), rateField);
  rateControls.classList.add("rate");
  rateField.ariaLabel = "Learning rate";
  useRate();
  element.replaceChildren(
    make(
      "div",
      { className: "settings" },
      labelled("Loss", lossMenu),
      rateControls,
      pair(labelled("Start: weight", weightField), labelled("Start: bias", biasField)),
      make("label", { className: "noise" }, noiseBox, "Noisy labels"),
    ),
    make(
      "div",
      { className: "parts" },
      figure(lineChart, "Dots: the training points. Line: the model."),
      figure(
        map,
        "Open dot: the start. Full dot: now. Cross: least squares, the lowest point for MSE. Click or tap to start elsewhere.",
      ),
      make(
        "div",
        { className: "run" },
        make("div", { className: "buttons" }, stepButton, runButton, resetButton),
        make("dl", {}, ...terms),
        story,
      ),
      figure(curve),
    ),
  );
  element.classList.add("playground");
  redraw();
  element.dataset.mounted = "";
}
