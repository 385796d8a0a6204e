"""Every term of the course is explained in the glossary, and from where it stands on a page."""

import gzip
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from project import ROOT, TEACHING_PAGES

from executable_pages.glossary import Glossary, Term

PATH = ROOT / "docs/help/glossary.md"
GLOSSARY = Glossary(PATH.read_text())
WORDS = [word.casefold() for term in GLOSSARY.terms for word in term.words]

# What stands in bold on a teaching page and introduces no term.
ABOUT_THE_COURSE = {"snippet", "figure", "exercises", "fail on purpose", "in jupyter", "in colab"}
ABOUT_THE_COURSE |= {"notebook"}
ABOUT_PYTHON = {"class", "object", "subclass"}
EMPHASIS = {"one thing", "several seeds", "write every run down"}
EMPHASIS |= {"a learning rate belongs to a loss function"}
NO_TERMS = ABOUT_THE_COURSE | ABOUT_PYTHON | EMPHASIS

SMALL = """---
forms:
  Overfitting: [overfit]
unmarked: [model]
---

# Glossary

## L

### Loss

What is "small" after `fit`.

[Loss](model.md#loss)

### Loss function

What makes the loss.

Also: cost function, criterion. [Loss](model.md#loss)

### Model

A function.

[Loss](model.md#loss)

### Overfitting

Learning
by heart.

[Loss](model.md#loss)

### Batch

Some rows.

[Loss](model.md#loss)
"""


def prose(page: Path) -> str:
    """The Markdown of a page without front matter, fences and comments."""
    text = re.sub(r"\A---\n.*?\n---\n", "", page.read_text(), flags=re.DOTALL)
    text = re.sub(r"^( *)(`{3,}).*?^\1\2$", "", text, flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)


def marks(html: str) -> list[str]:
    """The text of each term that is marked."""
    return re.findall(r'<a class="term"[^>]*>(.*?)</a>', html, flags=re.DOTALL)


def unmarked(html: str) -> str:
    return re.sub(r'<a class="term"[^>]*>(.*?)</a>', r"\1", html, flags=re.DOTALL)


@pytest.fixture(params=GLOSSARY.terms, ids=lambda term: term.anchor)
def term(request: pytest.FixtureRequest) -> Term:
    return request.param


def mark(html: str) -> str:
    return Glossary(SMALL).mark(html, "glossary/")


def test_every_entry_is_read():
    assert [term.name for term in GLOSSARY.terms] == re.findall(
        r"^### (.+)", PATH.read_text(), re.MULTILINE
    )
    assert len(GLOSSARY.terms) > 100


def test_terms_stand_in_alphabetical_order_under_their_letter():
    anchors = [term.anchor for term in GLOSSARY.terms]
    assert anchors == sorted(set(anchors))
    letter = ""
    for heading in re.findall(r"^##+ (.+)", PATH.read_text(), re.MULTILINE):
        letter = heading if len(heading) == 1 else letter
        assert heading[0].upper() == letter


def test_no_word_stands_for_two_terms():
    assert sorted(WORDS) == sorted(set(WORDS))


def test_a_term_is_explained_in_one_sentence(term):
    assert re.fullmatch(r"[A-Z\"'](?:(?![.!?]\s).)+\.", term.sentence)
    assert len(term.sentence) < 180


def test_a_term_leads_to_a_section_that_uses_it(term):
    path, _, anchor = term.link.partition("#")
    page = (PATH.parent / path).read_text()
    section = re.search(rf"^#+ {re.escape(term.heading)}\n(.*?)(?=^##|\Z)", page, re.M | re.S)
    assert section, f"{path} has no section {term.heading}"
    assert anchor == Term(term.heading, (), "", "", "").anchor
    text, *words = (re.sub(r"[\s_-]+", " ", t).casefold() for t in (section[0], *term.words))
    assert any(word in text for word in words)


@pytest.mark.parametrize("page", TEACHING_PAGES, ids=lambda page: page.stem)
def test_what_a_page_introduces_in_bold_is_in_the_glossary(page):
    for bold in re.findall(r"\*\*([^*]+)\*\*", prose(page)):
        bold = " ".join(bold.casefold().split())
        code = bold.startswith("`") and bold not in ("`dataset`", "`dataloader`")
        if not code and not bold.endswith(("?", ":", ".")) and bold not in NO_TERMS:
            assert bold.strip("`") in {word + end for word in WORDS for end in ("", "s", "es")}


def test_what_is_said_to_be_no_term_stands_in_bold_somewhere():
    text = " ".join(prose(page).casefold() for page in TEACHING_PAGES)
    assert [words for words in NO_TERMS if f"**{words}**" not in text] == []


def test_the_longest_term_is_marked():
    assert marks(mark("<p>The loss function gives the loss.</p>")) == ["loss function", "loss"]


def test_a_term_is_marked_in_other_forms():
    html = "<p>Losses of a cost\nfunction. It is loss-function based, for batches, and overfit.</p>"
    assert marks(mark(html)) == ["Losses", "cost\nfunction", "batches", "overfit"]
    assert 'href="glossary/#loss-function"' in mark(html)


def test_a_term_is_not_marked_within_a_longer_word():
    assert marks(mark("<p>Lossless, glosses, mini-batch, loss-free, batch_size</p>")) == []


def test_an_everyday_word_is_not_marked():
    assert marks(mark("<p>The model.</p>")) == []


@pytest.mark.parametrize(
    "html",
    [
        '<h2 id="x">The loss</h2>',
        '<h3 class="y" id="x">The <code>loss</code><a href="#x">loss</a></h3>',
        "<h1>Loss</h1>",
        "<p><code>loss</code></p>",
        "<pre><span></span><code>loss <span>loss</span></code></pre>",
        '<p><a href="loss.html">the <em>loss</em></a></p>',
        '<p><img alt="The loss" src="loss.svg">\n<em>How large is the loss?</em></p>',
        "<details><summary>The loss</summary></details>",
        "<nav><svg><a href='x'><text>loss</text></a></svg> loss</nav>",
        "<p><math><mtext>loss</mtext></math></p>",
        '<label for="x">loss</label><button>loss</button>',
        "<script>loss</script><style>loss</style>",
    ],
)
def test_only_prose_is_marked(html):
    assert mark(html) == html
    assert marks(mark(html + "<p>Loss.</p>")) == ["Loss"]


def test_a_term_is_marked_once_in_each_section():
    assert len(marks(mark("<p>Loss, loss.</p><ul><li>loss</li></ul>"))) == 1
    assert len(marks(mark('<p>Loss.</p><h2 id="a">A</h2><p>loss</p><h3>B</h3><p>loss</p>'))) == 3


def test_a_section_that_introduces_a_term_does_not_mark_it_afterwards():
    assert marks(mark("<p>The <strong>loss</strong>. A loss.</p>")) == []
    html = "<p>The <strong>loss</strong>.</p><h2>Next</h2><p>A loss.</p>"
    assert marks(mark(html)) == ["loss"]


def test_an_entry_does_not_lead_to_itself():
    assert marks(mark('<h3 id="loss">Loss</h3><p>The loss of a batch.</p>')) == ["batch"]


def test_the_explanation_stands_once_on_a_page():
    html = mark('<p>Loss.</p><h2 id="a">A</h2><p>A loss.</p>')
    assert (
        '<a class="term" href="glossary/#loss" title="What is &quot;small&quot; after fit.">'
        in html
    )
    assert '<a class="term" href="glossary/#loss" tabindex="-1">loss</a>' in html


class Places(HTMLParser):
    """The elements that each mark of a page stands in."""

    VOID = ("area", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr")

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.places: list[list[str]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if ("class", "term") in attrs:
            self.places.append(list(self.open))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self.open and self.open.pop() != tag:
            pass


@pytest.mark.parametrize("page", TEACHING_PAGES, ids=lambda page: page.stem)
def test_marks_stand_in_the_prose_of_a_page_alone(site, page):
    name = page.relative_to(ROOT / "docs").with_suffix("")
    html = (site / (name.parent if name.name == "index" else name) / "index.html").read_text()
    found = Places(html).places
    assert len(found) >= 5
    for place in found:
        assert "article" in place
        assert not {"a", "button", "code", "h1", "h2", "h3", "label", "pre", "summary"} & {*place}


def test_a_section_marks_what_a_reader_may_have_forgotten(site):
    html = (site / "workflow/3-training/index.html").read_text()
    section = html.partition('id="step-1-the-forward-pass"')[2].partition("<h2")[0]
    assert marks(section) == ["features", "autograd", "backward pass", "parameters"]


def test_search_and_notebooks_hold_no_marks(site):
    sections = json.loads((site / "search/search_index.json").read_text())["docs"]
    (loss,) = [
        each for each in sections if each["location"] == "workflow/3-training/#step-2-the-loss"
    ]
    assert "The loss function turns 30 predictions and 30 labels into one number" in loss["text"]
    assert not any("glossary" in each["text"] for each in sections if "<a" in each["text"])
    assert 'class=\\"term' not in (site / "workflow/3-training/3-training.ipynb").read_text()


@pytest.mark.parametrize("page", ["workflow/3-training", "workflow/7-experiments", "help/errors"])
def test_marks_add_little_to_a_page(site, page):
    html = (site / page / "index.html").read_text()
    without, with_marks = (len(gzip.compress(text.encode())) for text in (unmarked(html), html))
    assert without < with_marks < 1.08 * without


SENTENCE = next(term.sentence for term in GLOSSARY.terms if term.name == "Gradient")
PAGE = "workflow/3-training/"


@pytest.fixture
def gradient(open_page):
    """The first mention on page 3, and the box beside it."""
    page = open_page(PAGE)
    mention = page.locator("a.term", has_text="gradient").first
    mention.scroll_into_view_if_needed()
    return mention, page.get_by_role("tooltip")


def test_pointing_at_a_term_explains_it_until_the_pointer_leaves(gradient):
    mention, box = gradient
    mention.hover()
    box.wait_for(state="visible")
    assert box.inner_text() == SENTENCE
    assert mention.get_attribute("aria-describedby") == box.get_attribute("id")
    mention.page.mouse.move(1, 1)
    box.wait_for(state="hidden")
    assert mention.get_attribute("aria-describedby") is None


def test_the_pointer_may_go_to_the_explanation(gradient):
    mention, box = gradient
    mention.hover()
    box.wait_for(state="visible")
    box.hover()
    mention.page.wait_for_timeout(500)
    assert box.is_visible()


def test_escape_puts_the_explanation_away(gradient):
    mention, box = gradient
    mention.hover()
    box.wait_for(state="visible")
    mention.page.keyboard.press("Escape")
    box.wait_for(state="hidden")


@pytest.mark.parametrize("width", [390, 1350])
def test_the_explanation_stands_beside_the_term_and_within_the_window(open_page, width):
    page = open_page("workflow/2-model/", viewport={"width": width, "height": 600})
    box = page.get_by_role("tooltip")
    for mention in page.locator("article > :is(p, ul) a.term").all()[::8]:
        mention.scroll_into_view_if_needed()
        mention.hover()
        box.wait_for(state="visible")
        place, around = mention.bounding_box(), box.bounding_box()
        gaps = (
            around["y"] - place["y"] - place["height"],
            place["y"] - around["y"] - around["height"],
        )
        assert 0 <= max(gaps) < 10
        assert 0 <= around["x"] <= width - around["width"]
        page.keyboard.press("Escape")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_keyboard_reaches_the_explanation_and_the_entry(gradient):
    mention, box = gradient
    mention.page.locator("a:not([tabindex]), summary").first.focus()
    for _ in range(200):
        mention.page.keyboard.press("Tab")
        if mention.evaluate("mention => mention === document.activeElement"):
            break
    assert mention.evaluate("mention => mention === document.activeElement")
    assert box.inner_text() == SENTENCE
    mention.page.keyboard.press("Tab")  # perhaps to the next term
    assert box.is_hidden() or box.inner_text() != SENTENCE
    mention.page.keyboard.press("Shift+Tab")
    mention.page.keyboard.press("Enter")
    mention.page.wait_for_url("**/help/glossary/#gradient")


def test_a_term_is_one_stop_of_the_keyboard_on_a_page(open_page):
    page = open_page(PAGE)
    mentions = page.locator("a.term[href$='#gradient']")
    stops = [mention.evaluate("mention => mention.tabIndex") for mention in mentions.all()]
    assert len(stops) > 5
    assert stops == [0] + [-1] * (len(stops) - 1)


def test_a_touch_opens_the_entry(open_page):
    page = open_page(PAGE, has_touch=True, is_mobile=True, viewport={"width": 390, "height": 844})
    page.locator("a.term", has_text="baseline").first.tap()
    page.wait_for_url("**/help/glossary/#baseline")


def test_the_explanation_needs_no_script(open_page):
    page = open_page(PAGE, java_script_enabled=False)
    term = page.locator("a.term", has_text="gradient").first
    assert term.get_attribute("title") == SENTENCE
    term.click()
    page.wait_for_url("**/help/glossary/#gradient")
