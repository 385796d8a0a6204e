const article = document.querySelector("article");
const settings = JSON.parse(document.getElementById("__config").textContent);
const home = new URL(settings.base.replace(/\/?$/, "/"), location);
const systemIsDark = matchMedia("(prefers-color-scheme: dark)");

// Figures follow the palette, also in browsers that ask only the system: an address that ends in
// #dark or #light chooses the colors of an SVG file. Without this script the system chooses.

function paintFigures() {
  const isDark = document.body.dataset.mdColorScheme === "slate";
  const fragment = isDark === systemIsDark.matches ? "" : isDark ? "#dark" : "#light";
  for (const figure of article.querySelectorAll("img[src*='.svg']")) {
    const address = figure.getAttribute("src");
    const wanted = address.split("#")[0] + fragment;
    if (address !== wanted) figure.setAttribute("src", wanted);
  }
}

paintFigures();
systemIsDark.addEventListener("change", paintFigures);
new MutationObserver(paintFigures).observe(document.body, {
  attributeFilter: ["data-md-color-scheme"],
});

// What scrolls sideways can be reached by keyboard, which the theme undoes on touch devices. The copy
// button's wrapper is no landmark, and the mark of a code annotation has a name. The theme adds these
// when a reader comes near them.

let helping;

function helpAssistiveTechnology() {
  helping = undefined;
  const boxes = [...article.querySelectorAll("pre > code, .md-typeset__scrollwrap, math")];
  const unreachable = boxes.filter(
    (box) => box.tabIndex < 0 && box.checkVisibility() && box.scrollWidth > box.clientWidth,
  );
  for (const box of unreachable) box.tabIndex = 0;
  for (const buttons of article.querySelectorAll("nav.md-code__nav:not([role])")) {
    buttons.setAttribute("role", "none");
  }
  for (const mark of article.querySelectorAll(".md-annotation__index:not([aria-label])")) {
    mark.setAttribute("aria-label", "Note on this line");
  }
}

/** Once for many changes, and after the first frame that a reader waits for. */
function helpSoon() {
  helping ??= setTimeout(helpAssistiveTechnology, 100);
}

helpSoon();
addEventListener("resize", helpSoon);
new MutationObserver(helpSoon).observe(article, {
  attributeFilter: ["open", "tabindex"],
  childList: true,
  subtree: true,
});

// Things to play with are loaded when the reader comes near them.

const nearby = new IntersectionObserver(
  (entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      nearby.unobserve(target);
      const name = target.dataset.widget;
      import(`./${name}.js`).then((widget) => widget.default(target));
    }
  },
  { rootMargin: "800px" },
);
for (const widget of article.querySelectorAll("[data-widget]")) nearby.observe(widget);

// A page that is loaded before it is shown draws nothing, and computes only what is asked for. Asking
// what lies at a point makes it compute all but the paint, so that the click waits for less.

if (document.prerendering) {
  addEventListener("load", () => document.elementFromPoint(0, 0));
}

// A page that a reader is about to open is fetched. Other browsers do it by themselves, as the
// page's speculation rules say.

const fetched = new Set([location.pathname]);

function fetchNext({ target }) {
  const link = target.closest?.("a[href]:not([download])");
  if (!link || link.origin !== location.origin || fetched.has(link.pathname)) return;
  fetched.add(link.pathname);
  const hint = document.createElement("link");
  hint.rel = "prefetch";
  hint.href = link.href;
  document.head.append(hint);
}

if (!HTMLScriptElement.supports?.("speculationrules") && home.protocol !== "file:") {
  for (const sign of ["pointerover", "focusin"]) document.addEventListener(sign, fetchNext);
}

// Where the reader stopped and which exercises they ticked stays in this browser, until they have
// it forgotten.

const memory = {
  key: `course:${home.pathname}`,
  read() {
    try {
      const { place, name, ticked } = JSON.parse(localStorage.getItem(this.key)) ?? {};
      return { place, name, ticked: Array.isArray(ticked) ? ticked : [] };
    } catch {
      return { ticked: [] };
    }
  },
  change(values) {
    localStorage.setItem(this.key, JSON.stringify({ ...this.read(), ...values }));
  },
  forget() {
    localStorage.removeItem(this.key);
  },
};

function element(tag, properties, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

function keepTicks() {
  const path = location.pathname.slice(home.pathname.length);
  const boxes = [...article.querySelectorAll(".tick input")];
  const { ticked } = memory.read();
  for (const box of boxes) {
    const id = `${path}#${box.closest(".tick").previousElementSibling.id}`;
    box.checked = ticked.includes(id);
    box.addEventListener("change", () => {
      const others = memory.read().ticked.filter((other) => other !== id);
      memory.change({ ticked: box.checked ? [...others, id] : others });
    });
  }
  article.querySelector(".kept .forget")?.addEventListener("click", () => {
    memory.forget();
    for (const box of boxes) box.checked = false;
    article.querySelector(".kept [role=status]").textContent = "Forgotten.";
  });
}

function rememberPlace() {
  if (document.prerendering || article.querySelector(".start")) return;
  const passed = [...article.querySelectorAll("h2[id], h3[id]")].filter(
    (heading) => heading.getBoundingClientRect().top < innerHeight / 3,
  );
  const heading = passed.at(-1);
  const address = location.pathname.slice(home.pathname.length);
  const names = [article.querySelector("h1"), heading].filter(Boolean);
  memory.change({
    place: address + (heading ? `#${heading.id}` : ""),
    name: names.map((name) => name.firstChild.textContent.trim()).join(": "),
  });
}

function offerPlace() {
  const start = article.querySelector(".start");
  const { place, name, ticked } = memory.read();
  if (!start || !place) return;
  const link = element("a", { href: new URL(place, home).href }, name);
  const forget = element("button", { type: "button", className: "forget" }, "Forget");
  const usual = [...start.childNodes];
  forget.addEventListener("click", () => {
    memory.forget();
    start.replaceChildren(...usual);
    start.querySelector("a").focus();
  });
  const count = ticked.length === 1 ? "1 exercise" : `${ticked.length} exercises`;
  const done = ticked.length ? `You have ticked ${count}. ` : "";
  start.replaceChildren(element("p", {}, "Go on with ", link, ". ", done, forget));
}

keepTicks();
offerPlace();
addEventListener("pagehide", rememberPlace);
