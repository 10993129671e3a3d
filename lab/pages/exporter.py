"""An executed notebook to a page: nbconvert's exporter, with the preprocessors and templates of this project."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from markupsafe import Markup
from nbconvert.exporters.templateexporter import TemplateExporter
from nbconvert.filters import DataTypeFilter, Highlight2HTML

from lab.execution.notebook import read
from lab.pages import INTERACTIVE, pictures
from lab.pages.markdown import Headings
from lab.pages.markup import tidy
from lab.pages.preprocessors import FORMS, STEPS
from lab.pages.refusals import ReportError
from lab.tracking.described import Damaged, Provenance, described

TEMPLATES = Path(__file__).with_name("templates")
LONG = 2000  # characters of a line of code


class Highlight(Highlight2HTML):
    """Colours a source, unless a line of it is so long that IPython's lexer would take the square of that."""

    def __call__(self, source: str, language: str | None = None, metadata: Any = None) -> str:
        longest = max(map(len, source.splitlines()), default=0)
        return super().__call__(source, "text" if longest > LONG else language, metadata)


class PageExporter(TemplateExporter):
    """The cells of a notebook as HTML; around them, `page` says what the frame of a page needs to know."""

    file_extension = ".html"
    output_mimetype = "text/html"

    def __init__(self) -> None:
        super().__init__(
            default_preprocessors=[],
            preprocessors=list(STEPS),
            template_name="base",  # nbconvert's: which block shows which form of an output
            template_file="cells.html.j2",
            extra_template_paths=[str(TEMPLATES)],
        )
        self.environment.autoescape = True  # what is text stays text
        self.environment.globals["INTERACTIVE"] = INTERACTIVE

    def default_filters(self) -> Iterable[tuple[str, Any]]:
        yield from super().default_filters()
        yield "filter_data_type", DataTypeFilter(display_data_priority=list(FORMS))
        yield "highlight_code", Highlight(pygments_lexer="ipython3")


@dataclass(frozen=True)
class Page:
    """An executed notebook as the templates see it."""

    name: str  # 01_dataset
    title: tuple[str, Markup]  # id, text
    lead: Markup  # the first paragraph of what was found, or else of the page
    headings: Headings  # for the table of contents
    body: Markup
    cover: dict[str, Any] | None  # the first picture of what was found, or else of the page
    interactive: bool  # whether it needs the script of the interactive figures
    provenance: dict[str, Any]

    @property
    def number(self) -> int:
        return int(self.name.partition("_")[0])

    @property
    def thumbnail(self) -> str | None:
        return pictures.thumbnail(self.cover["src"]) if self.cover else None


def page(path: Path) -> Page:
    """Read an executed notebook; raises ReportError, naming the cell, for whatever a page must not contain."""
    notebook = read(path)
    if "provenance" not in notebook.metadata:
        raise ReportError(f"{path} has no provenance: execute it with python report.py run")
    try:
        provenance = described(Provenance, notebook.metadata["provenance"], path)
    except Damaged as error:
        raise ReportError(f"{error}: execute it with python report.py run") from error
    body, told = PageExporter().from_notebook_node(notebook, {"path": path, "headings": []})
    if not told["headings"]:
        raise ReportError(f"{path} has no heading: its first cell gives the title, as in # Title")
    (_, anchor, title), *_ = told["headings"]
    return Page(
        name=path.stem,
        title=(anchor, tidy(title)),
        lead=told["lead"],
        headings=[(level, quote(anchor), tidy(text)) for level, anchor, text in told["headings"] if level in (2, 3)],
        body=Markup(body),
        cover=told["cover"],
        interactive=told["interactive"],
        provenance=provenance,
    )
