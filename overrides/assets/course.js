// Figures follow the palette, also in browsers that ask only the system: an address that ends in
// #dark or #light chooses the colors of an SVG file. Without this script the system chooses.
const systemIsDark = matchMedia("(prefers-color-scheme: dark)");

function paintFigures() {
  const isDark = document.body.dataset.mdColorScheme === "slate";
  const fragment = isDark === systemIsDark.matches ? "" : isDark ? "#dark" : "#light";
  for (const figure of document.querySelectorAll("article img[src*='.svg']")) {
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
// after this script has run, so it watches for them.
const article = document.querySelector("article");

function helpAssistiveTechnology() {
  for (const box of article.querySelectorAll("pre > code, .md-typeset__scrollwrap, math")) {
    if (box.scrollWidth > box.clientWidth && box.tabIndex < 0) box.tabIndex = 0;
  }
  for (const buttons of article.querySelectorAll("nav.md-code__nav:not([role])")) {
    buttons.setAttribute("role", "none");
  }
  for (const mark of article.querySelectorAll(".md-annotation__index:not([aria-label])")) {
    mark.setAttribute("aria-label", "Note on this line");
  }
}

helpAssistiveTechnology();
addEventListener("resize", helpAssistiveTechnology);
new MutationObserver(helpAssistiveTechnology).observe(article, {
  attributeFilter: ["open", "tabindex"],
  childList: true,
  subtree: true,
});
