"""How numbers are set in running text: one style of per cent, a minus that is one, no break in a number or a = b.

Nor does a line break between a formula and the mark after it, or the bracket before it.
"""

import re

from bs4 import BeautifulSoup, NavigableString, Tag

NARROW, FIXED = "\u202f", "\u00a0"  # spaces at which no line breaks
SETTINGS = (
    (re.compile(r"(?<=\d)[ \u00a0]?%"), f"{NARROW}%"),
    (re.compile(r"(?<![\w.,)\]\u2212-])-(?=\.?\d)"), "\u2212"),
    (re.compile(r"(?<=\d)e-(?=\d)"), "e\u2212"),
    (re.compile(r"± (?=\d)"), f"±{NARROW}"),
    (re.compile(r"(?<=[\w\u0302]) = (?=[\w.\u2212])"), f"{FIXED}={FIXED}"),  # U+0302 is the hat of m̂
    (re.compile(r"(?<=\S) ([←\u2212/]) (?=\S)"), rf"{FIXED}\1{FIXED}"),
    (re.compile(r"(?:(?<=[α-ω₀-₉])|(?<=[₀-₉]\))) (?=\w\u0302?(?!\w)|\()"), FIXED),  # β₁ m, η (g + μ u)
    (re.compile(r"(?<=\d) (?=(?:s|ms|µs|min|h|kB|MB|GHz|points?|percentage)\b)"), FIXED),
)
AS_WRITTEN = ("code", "pre", "math", "style", "script", "textarea")


def typeset(text: str) -> str:
    """A text with its numbers set."""
    for pattern, replacement in SETTINGS:
        text = pattern.sub(replacement, text)
    return text


def typeset_all(soup: BeautifulSoup) -> None:
    """Set the numbers in all text of a page that is not code or a formula."""
    for math in soup.select('math[display="inline"]'):
        _keep_marks(soup, math)
    for node in soup.find_all(string=re.compile(r"\d")):
        if not node.find_parent(AS_WRITTEN) and (changed := typeset(node)) != node:
            node.replace_with(changed)


def _keep_marks(soup: BeautifulSoup, math: Tag) -> None:
    """Put a formula into one box with the marks that touch it."""
    beside = (math.previous_sibling, math.next_sibling)
    before, after = (text if isinstance(text, NavigableString) else "" for text in beside)
    opening, closing = re.search(r"\(?$", before)[0], re.match(r"[.,;:?!)]*", after)[0]
    if not opening and not closing:
        return
    box = math.wrap(soup.new_tag("span", attrs={"class": "pair"}))
    if opening:
        before.replace_with(before[:-1])
        box.insert(0, opening)
    if closing:
        after.replace_with(after[len(closing) :])
        box.append(closing)
