// What the audit measures inside a page. Each function returns plain values.

/** Everything is shown and stands still: folds open, figures loaded, buttons and widgets there. */
export async function show() {
  for (const fold of document.querySelectorAll("details")) fold.open = true;
  const still = document.createElement("style");
  still.textContent = `*, ::before, ::after {
    transition: none !important; animation: none !important; scroll-behavior: auto !important;
  }`;
  document.head.append(still);
  const images = [...document.images];
  for (const image of images) image.loading = "eager";
  await Promise.all(images.map((image) => image.decode()));
  for (const widget of document.querySelectorAll("[data-widget]")) {
    widget.scrollIntoView();
    await until(() => widget.dataset.mounted !== undefined);
  }
  scrollTo(0, 0);
  await mountButtons();
}

async function until(done) {
  const patience = performance.now() + 30_000;
  while (!done()) {
    if (performance.now() > patience) throw new Error(`This never came true: ${done}`);
    await new Promise(requestAnimationFrame);
  }
}

/** Each snippet gets its button when it comes into view: all at once on a page this small. */
async function mountButtons() {
  const snippets = [...document.querySelectorAll(".md-content pre > code")];
  const hasButton = (code) => code.parentElement.querySelector("button");
  document.body.style.transform = "scale(0.01)";
  document.body.style.transformOrigin = "0 0";
  await until(() => snippets.every((code) => hasButton(code) || !code.checkVisibility()));
  document.body.style.transform = document.body.style.transformOrigin = "";
}

export async function violations(runOnly) {
  // A link that its box cuts off is small, until the reader scrolls.
  for (const box of document.querySelectorAll(".md-sidebar__scrollwrap")) box.scrollTop = 0;
  // The course's script has to see to the buttons first, which it does a moment after they came.
  await until(() => !document.querySelector(".md-code__nav:not([role])"));
  const found = await axe.run({ preload: false, resultTypes: ["violations"], runOnly });
  return found.violations.flatMap(({ id, nodes }) =>
    nodes.map((node) => `${id}: ${node.target}: ${node.failureSummary}`),
  );
}

/** Of each kind of token in the code one is left, which stands for the others: plain text. */
export function thin() {
  const kinds = new Set();
  for (const token of document.querySelectorAll("pre span[class]:not(:has(*))")) {
    const kind = `${token.parentElement.className} ${token.className}`;
    if (kinds.has(kind)) token.replaceWith(token.textContent);
    kinds.add(kind);
  }
}

/** The elements that make the document wider than the window. */
export function wide() {
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= width) return [];
  return [...document.querySelectorAll("body *")]
    .filter((element) => element.getBoundingClientRect().right > width)
    .map((element) => `at ${width} px: ${named(element)}`);
}

/** The texts of each drawing, and how far each reaches, from the drawing's upper left corner. */
export const drawings = () => [...document.querySelectorAll("svg:has(text)")].map(drawing);

function drawing(svg) {
  const { left, top, width, height } = svg.getBoundingClientRect();
  const texts = [...svg.querySelectorAll("text")].map((text) => {
    const box = text.getBBox();
    const toWindow = text.getScreenCTM();
    const corners = [0.15, 0.85].flatMap((down) => // a font leaves space above and below
      [0, 1].map((right) =>
        new DOMPoint(box.x + right * box.width, box.y + down * box.height).matrixTransform(toWindow),
      ),
    );
    const [across, along] = [corners.map(({ x }) => x - left), corners.map(({ y }) => y - top)];
    const { min, max } = Math;
    return {
      text: text.textContent.replace(/\s+/g, " ").trim(),
      left: min(...across), right: max(...across), top: min(...along), bottom: max(...along),
    };
  });
  return { texts, width, height };
}

/** The texts of drawings that come nearer than 3 pixels to the end of their box, or leave it. */
export function spilled() {
  const right = (element) => element.getBoundingClientRect().right;
  return [...document.querySelectorAll("svg rect ~ text")]
    .filter((text) => right(text) > right(text.parentElement.querySelector("rect")) - 3)
    .map((text) => text.textContent);
}

const named = (element) => element.outerHTML.replace(/\s+/g, " ").slice(0, 120);

function usable(element) {
  const { width, height } = element.getBoundingClientRect();
  const { cursor, pointerEvents, visibility } = getComputedStyle(element);
  if (element.matches("label") && cursor !== "pointer") return false;
  return width * height > 0 && visibility === "visible" && pointerEvents !== "none";
}

/** What a reader can act on, or scroll: a label only where its field is not there, and a link that
 *  is no stop of the Tab key only where no stop leads to the same place. */
function controls() {
  const all = "a[href], button, input, select, textarea, summary, label[for], [tabindex]";
  const stops = [...document.links].filter((link) => link.tabIndex >= 0).map(({ href }) => href);
  return [...document.querySelectorAll(all)].filter(
    (element) => usable(element) && !element.control?.checkVisibility()
      && (element.tabIndex >= 0 || !stops.includes(element.href)),
  );
}

const hasRing = (element) => element && getComputedStyle(element).outlineStyle !== "none";

/** The controls that cannot have the focus, do not show it, or have it under the header. */
export function focused() {
  const header = document.querySelector(".md-header");
  const found = { missed: [], unseen: [], covered: [] };
  for (const element of controls()) {
    element.scrollIntoView({ block: "start" });
    element.focus({ focusVisible: true });
    if (document.activeElement !== element || element.tabIndex < 0) {
      found.missed.push(named(element));
      continue;
    }
    const caret = element.matches("[type=text]");
    const rings = [element, element.nextElementSibling, element.closest("label")].filter(hasRing);
    if (!caret && !rings.length) found.unseen.push(named(element));
    const { bottom } = element.getBoundingClientRect();
    const under = bottom <= header.getBoundingClientRect().bottom;
    if (under && !header.contains(element) && !element.matches(".md-skip")) {
      found.covered.push(named(element));
    }
  }
  return found;
}

const visited = new Set();

/** Note from now on what has the focus; the number of controls. */
export function follow() {
  document.addEventListener("focusin", ({ target }) => visited.add(target));
  return controls().length;
}

export const unvisited = () => controls().filter((element) => !visited.has(element)).map(named);

/** Whether what has the focus can be seen, and not something on top of it. */
export function inSight() {
  const focus = document.activeElement;
  const { x, y, width, height } = focus.getBoundingClientRect();
  return focus.contains(document.elementFromPoint(x + width / 2, y + height / 2));
}
