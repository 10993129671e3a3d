"""Markdown to HTML by nbconvert's own renderer, with formulas as MathML, and headings collected in order."""

import html
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from markupsafe import Markup
from nbconvert.filters.markdown_mistune import InvalidNotebook, IPythonRenderer, MarkdownWithMath, MathBlockParser

from lab.pages.formulas import mathml
from lab.pages.markup import parsed
from lab.pages.refusals import ReportError

Headings = list[tuple[int, str, Markup]]  # level, id, text
BEGIN, END = (re.compile(rf"\\{word}\{{([a-z]*\*?)\}}") for word in ("begin", "end"))  # of LaTeX's environments
MANY = 20  # that never end: from each the parser looks on to the end of the text
LINK = re.compile(r"</?a\b[^>]*+>?")  # one that is never closed goes on to the end of the text


def render(source: str, headings: Headings, attachments: Mapping[str, Any] | None = None) -> str:
    """HTML of a text in Markdown, whose headings are added to `headings`; raises ReportError for what is wrong."""
    held = {name: forms for name, forms in (attachments or {}).items() if forms}
    renderer = _Renderer(headings, held)
    try:
        return MarkdownWithMath(renderer, block=_BlockParser()).render(_ended(source))
    except InvalidNotebook as error:
        raise ReportError(f"{error}: attach it to the cell again") from error


def _ended(source: str) -> str:
    """The same, in which environments that never end are text if there are many."""
    ends = {match[1]: match.start() for match in END.finditer(source)}  # the last of each

    def never_ends(match: re.Match) -> bool:
        return ends.get(match[1], -1) < match.start()

    if sum(map(never_ends, BEGIN.finditer(source))) <= MANY:
        return source
    return BEGIN.sub(lambda match: f"&#92;{match[0][1:]}" if never_ends(match) else match[0], source)


def unlinked(markup: str) -> Markup:
    """The same without its links, to be put into one."""
    return Markup(LINK.sub("", markup))


class _BlockParser(MathBlockParser):
    """Takes $$ for a display formula only where it starts a line, so that it may stand in `code`."""

    SPECIFICATION = MathBlockParser.SPECIFICATION | {
        "multiline_math": rf"^ {{0,3}}(?:{MathBlockParser.MULTILINE_MATH})"
    }


class _Renderer(IPythonRenderer):
    def __init__(self, headings: Headings, attachments: Mapping[str, Any]) -> None:
        super().__init__(escape=False, attachments=attachments)
        self.headings = headings

    def heading(self, text: str, level: int, **_: Any) -> str:
        above = self.headings[-1][0] if self.headings else 0
        if level > above + 1 or (level == 1 and above):
            raise ReportError(f"a heading of level {level} cannot follow one of level {above} (0: none)")
        plain = parsed(text).get_text().strip()
        anchor = re.sub(r"\s+", "-", plain)  # as JupyterLab has it, so that links within a notebook hold
        while any(anchor == taken for _, taken, _ in self.headings):
            anchor += "-"
        self.headings.append((level, anchor, unlinked(text)))
        if level == 1:
            return ""  # the template puts the title above everything else
        label = html.escape(f"Link to the section {plain}")
        link = f'<a class="anchor" href="#{quote(anchor)}" aria-label="{label}">#</a>'
        return f'<h{level} id="{html.escape(anchor)}">{text}{link}</h{level}>\n'

    def inline_math(self, body: str) -> str:
        return mathml(body, "inline")

    def block_math(self, body: str) -> str:
        parts = [body] if "\\begin" in body else body.split(r"\qquad")  # which stand below each other on a telephone
        return f'<span class="formula scroll">{"".join(mathml(part, "block") for part in parts)}</span>'

    def latex_environment(self, name: str, body: str) -> str:
        return self.block_math(rf"\begin{{{name}}}{body}\end{{{name}}}")
