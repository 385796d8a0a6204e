// What a term means, beside the term: while the pointer rests on it or the keyboard has reached it,
// until Escape is pressed. A touch follows the link to the glossary, as all do without this script.

"use strict";

{
  const article = document.querySelector("article");
  const explanations = new Map();
  const box = document.createElement("div");
  Object.assign(box, { className: "explanation", id: "__explanation", popover: "manual" });
  box.setAttribute("role", "tooltip");
  const gap = 5; // pixels around the box
  let shown, timer;

  function explanationOf({ hash }) {
    if (!explanations.has(hash)) {
      const first = article.querySelector(`a.term[title][href$="${hash}"]`);
      explanations.set(hash, first.title);
      first.removeAttribute("title"); // which a browser would show as well
    }
    return explanations.get(hash);
  }

  function show(term) {
    hide();
    shown = term;
    if (!box.isConnected) article.append(box);
    term.setAttribute("aria-describedby", box.id);
    box.textContent = explanationOf(term);
    box.showPopover();
    place();
  }

  function place() {
    const { left, top, bottom } = shown.getBoundingClientRect();
    const below = bottom + gap + box.offsetHeight < innerHeight;
    const x = Math.max(gap, Math.min(left, document.body.clientWidth - gap - box.offsetWidth));
    const y = below ? bottom + gap : top - gap - box.offsetHeight;
    Object.assign(box.style, { left: `${x + scrollX}px`, top: `${y + scrollY}px` });
  }

  function hide() {
    clearTimeout(timer);
    if (!shown) return;
    shown.removeAttribute("aria-describedby");
    box.hidePopover();
  }

  addEventListener("pointerover", ({ pointerType, target }) => {
    if (pointerType === "touch") return;
    clearTimeout(timer);
    const term = target.closest("a.term");
    if (term) {
      explanationOf(term);
      timer = setTimeout(show, 200, term);
    }
    else if (target !== box && !shown?.matches(":focus-visible")) timer = setTimeout(hide, 200);
  });
  addEventListener("focusin", ({ target }) => {
    if (target.matches("a.term:focus-visible")) show(target);
    else hide();
  });
  addEventListener("keydown", ({ key }) => {
    if (key === "Escape") hide();
  });
  new ResizeObserver(() => shown && place()).observe(article);
}
