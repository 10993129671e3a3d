"""What becomes of a notebook's cells before the template shows them: nbconvert's preprocessors, and those of our own.

Own are what a page refuses, formulas and tables, pictures that stay small, and what opens the page.
"""

from copy import deepcopy
from typing import Any

from markupsafe import Markup
from nbconvert.filters import strip_ansi
from nbconvert.preprocessors import CoalesceStreamsPreprocessor, Preprocessor, TagRemovePreprocessor
from nbformat import NotebookNode

from lab.pages import DENSITY, INTERACTIVE, NARROW, markdown, pictures
from lab.pages.markup import parsed, tidy
from lab.pages.refusals import ReportError

TAGS = {
    "parameters",
    "injected-parameters",
    "hide-input",  # the page leaves its code out
    "show-code",  # its code is open when the page is
    "figure",  # a sweep leaves it out
    "timed",  # it shows how long something took, which is no reason for another page
    "found",  # what it shows opens the page, under "What was found", and stands in its place too
}
WIDGET = "application/vnd.jupyter.widget-view+json"  # a progress bar, say, dead without its kernel
PICTURES = (pictures.SVG, "image/png", "image/jpeg")
FORMS = ("text/html", "text/markdown", "text/latex", *PICTURES, "text/plain")  # the first that an output has is shown


OURS = ("opening", "section", "sources", "transient")  # metadata that the steps below give a cell, and nobody else


class Cells(Preprocessor):
    """Goes through the cells, and says in which of them something is refused."""

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any]) -> tuple[NotebookNode, dict[str, Any]]:
        for number, cell in enumerate(nb.cells, start=1):
            line = cell.source.strip().partition("\n")[0]
            try:
                self.change(cell, resources)
            except ReportError as error:
                raise ReportError(f"{resources['path']}, cell {number} ({line}): {error}") from error
        return nb, resources

    def change(self, cell: NotebookNode, resources: dict[str, Any]) -> None:
        raise NotImplementedError


class Refusals(Cells):
    """Unknown tags, cells that ended with an error, and outputs that are of another type than their form."""

    def change(self, cell: NotebookNode, resources: dict[str, Any]) -> None:
        tags = tagged(cell)
        for name in OURS:
            cell.metadata.pop(name, None)
        if unknown := tags - TAGS:
            raise ReportError(f"unknown tag {', '.join(sorted(unknown))}; there are {', '.join(sorted(TAGS))}")
        if "found" in tags and cell.cell_type != "code":
            raise ReportError("found is a tag of code cells: what was found is computed, as in display(Markdown(...))")
        for output in cell.get("outputs", ()):
            if output.output_type == "error":
                raise ReportError(f"it ended with {output.ename}")
            if "data" in output:
                self.require_types(output)

    @staticmethod
    def require_types(output: NotebookNode) -> None:
        """Refuse what nbformat lets pass: it compares neither forms nor metadata with what they should be."""
        output.metadata.pop("picture", None)
        live, about = output.data.get(INTERACTIVE), [output.metadata.get(form, {}) for form in PICTURES]
        texts = [output.data[form] for form in (*FORMS, NARROW) if form in output.data]
        whole = live is None or (isinstance(live, dict) and {"kind", "data"} <= live.keys())
        if (
            not whole
            or not all(isinstance(one, dict) for one in about)
            or not all(isinstance(one, str) for one in texts)
        ):
            raise ReportError(f"an output of {', '.join(output.data)} is damaged: execute the notebook again")


class Terminal(Cells):
    """What was printed, as it looked when it was done; stderr, bars and warnings, is for the terminal."""

    def change(self, cell: NotebookNode, resources: dict[str, Any]) -> None:
        if cell.cell_type == "code":
            cell.outputs = [o for o in cell.outputs if o.output_type != "stream" or o.name == "stdout"]
        for output in cell.get("outputs", ()):
            if output.output_type == "stream":
                output.text = _overwritten(strip_ansi(output.text))


def _overwritten(text: str) -> str:
    """A text after its backspaces, without bells and the like; returns to the start of a line are nbconvert's."""
    kept: list[str] = []
    for character in text:
        if character == "\b":
            if kept and kept[-1] != "\n":
                kept.pop()
        elif character >= " " or character in "\n\t":
            kept.append(character)
    return "".join(kept)


class Forms(Cells):
    """One form of each output, the first that a page can show; a picture where a script draws over it."""

    def change(self, cell: NotebookNode, resources: dict[str, Any]) -> None:
        for output in cell.get("outputs", ()):
            if "data" in output:
                self.choose(output)
                output.output_type = "display_data"  # a result is shown like what was displayed
                output.pop("execution_count", None)
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if any(output.get("data", {"text": True}).values())]

    def choose(self, output: NotebookNode) -> None:
        """Leave the form that is shown, and none of a widget that is nothing else."""
        shown = {
            form: data for form, data in output.data.items() if not (form == "text/plain" and WIDGET in output.data)
        }
        possible = PICTURES if INTERACTIVE in shown else FORMS
        form = next((form for form in possible if form in shown), None)
        narrow = [NARROW] if form in PICTURES else []
        if form is None and WIDGET not in shown:
            raise ReportError(f"no page can show an output of {', '.join(output.data) or 'nothing'}")
        output.data = {name: data for name, data in shown.items() if name in (form, INTERACTIVE, *narrow)}


class Pictures(Cells):
    """Every picture has words for those who cannot see it, can be read, and takes few bytes."""

    def change(self, cell: NotebookNode, resources: dict[str, Any]) -> None:
        for output in cell.get("outputs", ()):
            for form in set(PICTURES) & output.get("data", {}).keys():
                output.metadata.picture = self.picture(form, output.data[form], output.metadata.get(form, {}))
            if NARROW in output.get("data", {}):
                image = pictures.lightest(pictures.address("image/png", output.data.pop(NARROW)))
                width = round(pictures.picture(image).width / DENSITY)
                output.metadata.picture["narrow"] = {"src": image, "width": width}

    @classmethod
    def picture(cls, form: str, data: str, about: dict[str, Any]) -> dict[str, Any]:
        if not about.get("alt"):
            raise ReportError("a figure has no alt text: display it with figures.show(fig, alt=...)")
        kind = "photographs" if about.get("photographs") is True else None  # of the class in HTML
        return {"src": cls.source(form, data), "alt": about["alt"], "width": about.get("width"), "kind": kind}

    @staticmethod
    def source(form: str, data: str) -> str:
        image = pictures.address(form, data)
        pictures.check(image)
        return pictures.smaller(image) if form == "image/png" else image


class Texts(Cells):
    """Markdown, LaTeX and HTML, in cells and outputs, as HTML fit for a page; headings are collected."""

    def change(self, cell: NotebookNode, resources: dict[str, Any]) -> None:
        headings = resources.setdefault("headings", [])
        if cell.cell_type == "markdown":
            cell.source = tidy(markdown.render(cell.source, headings, cell.get("attachments")))
        elif headings:
            cell.metadata.section = parsed(headings[-1][2]).get_text()
        above = len(headings)
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            for form in {"text/markdown", "text/latex"} & data.keys():
                data["text/html"] = markdown.render(data.pop(form), headings)
            if "text/html" in data:
                data["text/html"] = tidy(data["text/html"])
        if "found" in tagged(cell) and (not cell.outputs or len(headings) > above):
            raise ReportError("what was found is a sentence and a figure: it cannot be empty or hold a heading")


class Folds(Preprocessor):
    """Code that shows nothing shares the fold of the code that follows; `sources` is what a fold holds."""

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any]) -> tuple[NotebookNode, dict[str, Any]]:
        merged: list[NotebookNode] = []
        for cell in nb.cells:
            if not cell.source.strip() and not cell.get("outputs"):
                continue
            cell.metadata.sources = [] if self.hidden(cell) else [cell.source]
            if merged and self.joined(merged[-1], cell):
                cell.metadata.sources = merged.pop().metadata.sources + cell.metadata.sources
            merged.append(cell)
        nb.cells = merged
        return nb, resources

    @staticmethod
    def hidden(cell: NotebookNode) -> bool:
        return cell.cell_type != "code" or "transient" in cell.metadata  # where nbconvert says that code is removed

    @staticmethod
    def joined(above: NotebookNode, cell: NotebookNode) -> bool:
        code = all(part.cell_type == "code" and part.metadata.sources for part in (above, cell))
        may_show = above.get("outputs") or "timed" in tagged(above)  # something, if not this time
        return code and not may_show and ("show-code" in tagged(above)) == ("show-code" in tagged(cell))


class Opening(Preprocessor):
    """Puts what was found, in still pictures, before anything else; notes what the index says of the page."""

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any]) -> tuple[NotebookNode, dict[str, Any]]:
        displayed = [output for cell in nb.cells for output in cell.get("outputs", ()) if "data" in output]
        resources["interactive"] = any(INTERACTIVE in output.data for output in displayed)
        opening = [self.still(cell) for cell in nb.cells if "found" in tagged(cell)]
        nb.cells = opening + nb.cells
        resources["lead"], resources["cover"] = _lead(opening, nb.cells), _cover(nb.cells)
        return nb, resources

    @staticmethod
    def still(cell: NotebookNode) -> NotebookNode:
        copy = deepcopy(cell)
        if "id" in cell:  # which notebooks of before 4.5 lack
            copy.id = f"opening-{cell.id}"[:64]
        copy.metadata.update(opening=True, sources=[])
        for output in copy.outputs:
            output.get("data", {}).pop(INTERACTIVE, None)
        return copy


def _lead(opening: list[NotebookNode], cells: list[NotebookNode]) -> Markup:
    """The first paragraph of what was found, or else of the page, as a whole sentence: no figure follows there."""
    texts = [output.data.get("text/html", "") for cell in opening for output in cell.outputs if "data" in output]
    texts += [cell.source for cell in cells if cell.cell_type == "markdown"]
    first = parsed("".join(texts)).find(["p", "li"])
    text = first.decode_contents().removeprefix("<strong>Goal.</strong> ").strip() if first else ""
    return markdown.unlinked(text.removesuffix(":") + "." if text.endswith(":") else text)


def _cover(cells: list[NotebookNode]) -> dict[str, Any] | None:
    """The first picture: its address, alt text and width."""
    outputs = (output for cell in cells for output in cell.get("outputs", ()))
    return next((dict(output.metadata.picture) for output in outputs if "picture" in output.get("metadata", ())), None)


def tagged(cell: NotebookNode) -> set[str]:
    return set(cell.metadata.get("tags", ()))


STEPS = (
    Refusals(),
    CoalesceStreamsPreprocessor(),
    Terminal(),
    Forms(),
    Pictures(),
    Texts(),
    TagRemovePreprocessor(remove_input_tags={"hide-input"}),
    Folds(),
    Opening(),
)
