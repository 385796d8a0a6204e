"""MkDocs hook: a term of the glossary is a link to its entry on the pages, with its explanation.

In each section the first mention of a term is marked; the first one on a page holds the
explanation. Headings, code, links and captions stay as they are, and so does a mention in bold,
with which a page introduces the term itself.
"""

import functools
import html
import re
from dataclasses import dataclass

from markdown.extensions.toc import slugify
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import Files
from mkdocs.structure.pages import Page
from mkdocs.utils import meta

GLOSSARY = "help/glossary.md"

ENTRY = re.compile(
    r"^### (.+)\n\n"
    r"(.+(?:\n.+)*)\n\n"
    r"(?:Also: ([^.]+)\. )?\[([^\]]+)\]\(([^)]+)\)$",
    re.MULTILINE,
)
PIECE = re.compile(
    r'<(?P<heading>h[1-6])\b(?:[^>]*? id="(?P<id>[^"]*)")?.*?</(?P=heading)>'
    r"|<strong>(?P<bold>.*?)</strong>"
    r"|<img [^>]*>\s*<em>.*?</em>"
    r"|<(?P<skipped>a|button|code|label|math|nav|pre|script|style|summary|svg)\b.*?</(?P=skipped)>"
    r"|<[^>]*>"
    r"|(?P<text>[^<]+)",
    re.DOTALL,
)


@dataclass(frozen=True)
class Term:
    """An entry of the glossary: what it explains, and the section that teaches it."""

    name: str
    words: tuple[str, ...]  # the name, its synonyms and other forms
    sentence: str
    heading: str
    link: str

    @property
    def anchor(self) -> str:
        return str(slugify(self.name, "-"))


class Glossary:
    """The terms, and the words on a page that stand for them.

    Attributes:
        terms: The entries, in the order of the page.
        forms: The term of each word that is marked, plurals included.
    """

    def __init__(self, markdown: str) -> None:
        text, front = meta.get_data(markdown)
        self.terms = [
            Term(
                name,
                (name, *re.findall(r"[^,\s][^,]*", also), *front["forms"].get(name, ())),
                " ".join(sentence.split()),
                heading,
                link,
            )
            for name, sentence, also, heading, link in ENTRY.findall(text)
        ]
        words = {
            word: term
            for term in self.terms
            for word in term.words
            if word.casefold() not in front["unmarked"]
        }
        self.forms = {
            _plain(word + end): term for word, term in words.items() for end in ("", "s", "es")
        }
        any_word = "|".join(map(_pattern, sorted(words, key=len, reverse=True)))
        self.mention = re.compile(rf"(?<![\w-])(?:{any_word})(?:e?s)?(?![\w-])")

    def mark(self, content: str, url: str) -> str:
        """The HTML of a page with its terms marked, given the glossary's address from there."""
        explained: set[str] = set()  # on this page
        seen: set[str] = set()  # in this section

        def marked(mention: re.Match[str]) -> str:
            term = self.forms[_plain(mention[0])]
            if term.anchor in seen:
                return mention[0]
            seen.add(term.anchor)
            more = ' tabindex="-1"'  # or the keyboard would have hundreds of stops
            if term.anchor not in explained:
                explained.add(term.anchor)
                more = f' title="{html.escape(term.sentence.replace("`", ""))}"'
            return f'<a class="term" href="{url}#{term.anchor}"{more}>{mention[0]}</a>'

        def piece(match: re.Match[str]) -> str:
            if match["text"]:
                return self.mention.sub(marked, match["text"])
            if match["heading"]:
                seen.clear()
                seen.add(match["id"])
            if match["bold"]:
                seen.update(
                    self.forms[_plain(mention[0])].anchor
                    for mention in self.mention.finditer(match["bold"])
                )
            return match[0]

        return PIECE.sub(piece, content)


def on_page_content(content: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Mark the terms on a page."""
    file = files.get_file_from_path(GLOSSARY)
    if file is None:
        return content
    url = "" if file is page.file else file.url_relative_to(page.file)
    return _glossary(file.content_string).mark(content, url)


_glossary = functools.cache(Glossary)


def _plain(word: str) -> str:
    return re.sub(r"[\s-]+", " ", word).casefold()


def _pattern(word: str) -> str:
    """Matches the word, also at the start of a sentence, with a hyphen, or over two lines."""
    first, rest = word[0], re.split(r"[\s-]", word[1:])
    return f"[{first.lower()}{first.upper()}]" + r"[\s-]+".join(map(re.escape, rest))
