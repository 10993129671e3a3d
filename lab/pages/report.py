"""Executed notebooks become reports: every page is one file that needs no network.

    python report.py run notebooks/01_dataset.ipynb -p seed 1    execute it into runs/notebooks/
    python report.py build                                       render runs/notebooks/ to reports/
    python report.py summary                                     say where the reports are, and the headline numbers

An executed notebook carries its provenance (commit, parameters, versions, ...) in its metadata, and building adds
nothing to it: the same executed notebooks give the same pages, byte for byte.
"""

from __future__ import annotations

import argparse
import ast
import base64
import difflib
import html
import json
import os
import platform
import re
import shlex
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

import nbformat
import yaml
from bs4 import BeautifulSoup, Tag
from jinja2 import Environment, FileSystemLoader
from jupyter_client import AsyncKernelManager
from latex2mathml.converter import convert_to_element
from markupsafe import Markup
from nbclient.exceptions import DeadKernelError
from nbconvert.filters import Highlight2HTML, strip_ansi
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath, MathBlockParser
from papermill import PapermillExecutionError, execute_notebook, inspect_notebook
from PIL import Image

from lab.execution import lean  # noqa: F401
from lab.tracking import THREADS, commit, runs_root

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = Path(__file__).with_name("templates")
PACKAGES = ("matplotlib", "numpy", "optuna", "pandas", "papermill", "wandb")  # whose versions a page states
RESULT = "05_evaluation"  # the page whose first picture is the README's
TAGS = {
    "parameters",
    "injected-parameters",
    "hide-input",  # the page leaves its code out
    "show-code",  # its code is open when the page is
    "found",  # what it shows opens the page, under "What was found", and stands in its place too
}
# Where an output has several forms, the first of these is shown.
INTERACTIVE = "application/vnd.fashion-mnist.interactive+json"  # what interactive.py displays, beside a picture
PICTURES = ("image/svg+xml", "image/png", "image/jpeg")
FORMS = ("text/html", "text/markdown", "text/latex", *PICTURES, "text/plain")
NUMBER = re.compile(r"[-+−]?\d[\d,]*(\.\d+)?(e[-+]?\d+)?( ?%)?|nan|")  # or nothing, where one is missing
LOADING = {"src", "srcset", "poster", "data", "href", "xlink:href"}  # attributes that make a browser fetch something

Headings = list[tuple[int, str, Markup]]  # level, id, text
Shown = dict[str, Any]  # {"text"}, {"html"}, or {"image": a data: address, "alt", "width", "interactive"}


class ReportError(RuntimeError):
    """A notebook that cannot be executed or shown; the text is one sentence for its author."""


# --- Executing ---


def run(notebook: Path, given: Mapping[str, Any]) -> Path:
    """Execute `notebook` with the `given` parameters into runs/notebooks/ and return where it is, provenance included.

    Each section is announced, and what cells print appears at once. If it fails, it is kept as <name>.failed.ipynb, an
    earlier finished one stays as it was, and ReportError says which cell and why.
    """
    cells, defaults = _read(notebook).cells, _defaults(notebook)
    for name in given.keys() - defaults.keys():
        nearest = difflib.get_close_matches(name, defaults, n=1)
        hint = f"did you mean {nearest[0]}?" if nearest else f"it has {', '.join(defaults) or 'none'}."
        raise ReportError(f"{notebook} has no parameter {name}: {hint}")
    place = "the start of its kernel"

    def announce(cell: nbformat.NotebookNode, cell_index: int) -> None:
        nonlocal place
        place = f"cell {cell_index + 1} of {len(cells) + bool(given)}"  # papermill adds a cell for what is given
        heading = re.match(r"#+ +(.+)", cell.source) if cell.cell_type == "markdown" else None
        if heading:
            print(f"{notebook.stem}: {place} · {heading[1]}", flush=True)

    finished = runs_root() / "notebooks" / notebook.name
    partial, failed = finished.with_suffix(".partial.ipynb"), finished.with_suffix(".failed.ipynb")
    finished.parent.mkdir(parents=True, exist_ok=True)
    provenance = _provenance(notebook, given, defaults)
    start = time.perf_counter()
    try:
        executed = execute_notebook(
            notebook,
            partial,
            given,
            kernel_name="python3",
            kernel_manager_class=_Kernel,
            progress_bar=False,
            stdout_file=sys.stdout,
            stderr_file=sys.stderr,
            on_cell_start=announce,
            extra_arguments=["--IPKernelApp.log_level=50"],
        )
        executed.metadata["provenance"] = provenance | {"seconds": round(time.perf_counter() - start, 1)}
        nbformat.write(executed, partial)
        partial.replace(finished)
        failed.unlink(missing_ok=True)
    except (PapermillExecutionError, DeadKernelError) as error:
        partial.replace(failed)
        text = f"{error.ename}: {error.evalue}" if isinstance(error, PapermillExecutionError) else str(error)
        last = text.strip().splitlines()[-1]
        raise ReportError(f"{notebook} failed in {place}: {last} (kept as {failed})") from error
    finally:
        partial.unlink(missing_ok=True)
    return finished


class _Kernel(AsyncKernelManager):
    """Multiplies matrices in one thread, unless the environment says otherwise: for small ones that is fastest."""

    async def start_kernel(self, **options: Any) -> None:
        await super().start_kernel(env=dict.fromkeys(THREADS, "1") | os.environ, **options)


def _read(path: Path) -> nbformat.NotebookNode:
    try:
        return nbformat.read(path, as_version=4)
    except FileNotFoundError as error:
        raise ReportError(f"{path} does not exist") from error
    except Exception as error:  # what a damaged file raises has no common base
        raise ReportError(f"{path} is not a readable notebook: {(str(error).splitlines() or [error])[0]}") from error


def _defaults(notebook: Path) -> dict[str, Any]:
    try:
        texts = {name: found["default"] for name, found in inspect_notebook(notebook).items()}
    except ValueError as error:  # no kernel is named, for one
        raise ReportError(f"{notebook}: {error}") from error
    try:
        return {name: ast.literal_eval(text) for name, text in texts.items()}
    except (ValueError, SyntaxError) as error:
        raise ReportError(f"{notebook}: its parameters cell must hold literals only, not all of {texts}") from error


def _provenance(notebook: Path, given: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    path = notebook.resolve()
    path = path.relative_to(ROOT) if path.is_relative_to(ROOT) else Path(path.name)
    options = [word for name, value in given.items() for word in ("-p", name, json.dumps(value))]
    return {
        "commit": commit(ROOT),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "parameters": {**defaults, **given},
        "versions": {"python": platform.python_version()} | {name: version(name) for name in PACKAGES},
        "machine": f"{platform.platform()}, {os.cpu_count()} CPUs",
        "command": shlex.join(["python", "report.py", "run", path.as_posix(), *options]),
    }


# --- Rendering ---


@dataclass(frozen=True)
class Page:
    """An executed notebook as the templates see it."""

    name: str  # 01_dataset
    title: tuple[str, Markup]  # id, text
    found: list[Shown]  # the result in a sentence and a figure
    lead: Markup  # the first paragraph of what was found, or else of the page
    headings: Headings  # for the table of contents
    cells: list[dict[str, Any]]  # {"html"} or {"code", "open", "outputs"}
    cover: Shown | None  # the first picture of what was found, or else of the page
    thumbnail: str | None
    interactive: bool  # whether it needs the script of the interactive figures
    provenance: dict[str, Any]


def build(sources: Path, executed: Path, reports: Path, readme: Path | None = None) -> Path:
    """Render the executed form of every notebook in `sources` to a page in `reports`; return their index.

    The headline numbers come from results.json beside `executed`; `readme` shows them too, with result.png, the first
    picture of the page RESULT, or else of the last. Nothing is written unless everything can be, and the index, which
    is make's target, is written last.
    """
    names = sorted(path.stem for path in sources.glob("*.ipynb") if re.fullmatch(r"\d\d_\w+", path.stem))
    missing = [name for name in names if not (executed / f"{name}.ipynb").exists()]
    if missing or not names:
        raise ReportError(f"not executed yet: {', '.join(missing) or sources}; run make, or python report.py run")
    pages = [page(executed / f"{name}.ipynb") for name in names]
    templates = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True, lstrip_blocks=True)
    templates.filters["moment"] = lambda date: f"{datetime.fromisoformat(date):%d %B %Y, %H:%M} UTC"
    found = results(executed.parent)
    files = {}
    for before, this, after in zip([None, *pages], pages, [*pages[1:], None], strict=False):
        text = templates.get_template("page.html.j2").render(page=this, before=before, after=after)
        files[reports / f"{this.name}.html"] = text.encode()
    shown = next((this for this in pages if this.name == RESULT), pages[-1])
    if shown.cover and not shown.cover["image"].startswith("data:image/svg"):
        files[reports / "result.png"] = _encoded(_picture(shown.cover["image"]), "PNG", optimize=True)
    index = templates.get_template("index.html.j2").render(pages=pages, results=found)

    reports.mkdir(parents=True, exist_ok=True)
    for path, content in files.items():
        _write(path, content)
    for stale in {*reports.glob("[0-9][0-9]_*.html"), *reports.glob("result.png")} - files.keys():
        stale.unlink()
    if readme and readme.exists() and found:
        _tell(readme, found, shown.cover["alt"] if shown.cover else "")
    _write(reports / "index.html", index.encode())
    return reports / "index.html"


def _write(path: Path, content: bytes) -> None:
    """Write a file such that a kill at any moment leaves the old or the new one."""
    temporary = path.with_suffix(".tmp")
    temporary.write_bytes(content)
    temporary.replace(path)


def _tell(readme: Path, found: Mapping[str, Mapping[str, Any]], alt: str) -> None:
    """Put the results, a table and a picture, between the markers of the README; without markers it stays as it is."""
    rows = [("Result", "Value", "Note"), ("---", "---", "---")]
    rows += [(label, entry["value"], entry["note"]) for label, entry in found.items()]
    table = "\n".join(f"| {' | '.join(str(cell).replace('|', '&#124;') for cell in row)} |" for row in rows)
    alt = re.sub(r"([\[\]])|\s+", lambda found: f"\\{found[1]}" if found[1] else " ", alt)  # so that it stays one
    section = f"\n\n{table}\n\n![{alt}](reports/result.png)\n\n"
    old = readme.read_text(encoding="utf-8")
    new = re.sub("(?<=<!-- results -->).*?(?=<!-- /results -->)", lambda _: section, old, count=1, flags=re.DOTALL)
    if new != old:
        _write(readme, new.encode())


def results(folder: Path) -> dict[str, dict[str, Any]]:
    """The headline numbers that 05_evaluation leaves in results.json: {label: {"value", "note"}}; empty without it."""
    path = folder / "results.json"
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
        return {label: {"value": entry["value"], "note": entry.get("note", "")} for label, entry in entries.items()}
    except FileNotFoundError:
        return {}
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise ReportError(f"{path} must map labels to a value and a note each: execute 05_evaluation again") from error


def page(path: Path) -> Page:
    """Read an executed notebook; raises ReportError, naming the cell, for whatever a page must not contain."""
    notebook = _read(path)
    if "provenance" not in notebook.metadata:
        raise ReportError(f"{path} has no provenance: execute it with python report.py run")
    headings, cells = [], []
    for number, cell in enumerate(notebook.cells, start=1):
        try:
            cells.append(_cell(cell, headings))
        except ReportError as error:
            line = cell.source.strip().partition("\n")[0]
            raise ReportError(f"{path}, cell {number} ({line}): {error}") from error
    if not headings:
        raise ReportError(f"{path} has no heading: its first cell gives the title, as in # Title")
    outputs = [output for cell in cells for output in cell.get("outputs", ())]
    found = [output for cell in cells if cell.get("found") for output in cell["outputs"]]
    texts = [shown["html"] for shown in [*found, *cells] if "html" in shown]
    first = BeautifulSoup("".join(texts), "html.parser").find(["p", "li"])
    cover = next((output for output in [*found, *outputs] if "image" in output), None)
    return Page(
        name=path.stem,
        title=headings[0][1:],
        found=found,
        lead=_unlinked(first.decode_contents().removeprefix("<strong>Goal.</strong> ")) if first else Markup(""),
        headings=[(level, quote(anchor), text) for level, anchor, text in headings if level in (2, 3)],
        cells=_merged(cells),
        cover=cover,
        thumbnail=_thumbnail(cover["image"]) if cover else None,
        interactive=any(output.get("interactive") for output in outputs),
        provenance=notebook.metadata["provenance"],
    )


def _cell(cell: nbformat.NotebookNode, headings: Headings) -> dict[str, Any]:
    tags = set(cell.metadata.get("tags", ()))
    if unknown := tags - TAGS:
        raise ReportError(f"unknown tag {', '.join(sorted(unknown))}; there are {', '.join(sorted(TAGS))}")
    markdown = MarkdownWithMath(_Renderer(headings, cell.get("attachments", {})), block=_BlockParser())
    if cell.cell_type == "markdown":
        if "found" in tags:
            raise ReportError("found is a tag of code cells: what was found is computed, as in display(Markdown(...))")
        return {"html": _tidy(markdown.render(cell.source))}
    if cell.cell_type != "code" or not cell.source.strip():
        return {}
    code = None if "hide-input" in tags else Markup(Highlight2HTML(pygments_lexer="ipython3")(cell.source))
    above = len(headings)
    outputs = [shown for output in cell.outputs if (shown := _output(output, markdown))]
    if "found" in tags and (not outputs or len(headings) > above):
        raise ReportError("what was found is a sentence and a figure: it cannot be empty or hold a heading")
    return {"code": code, "open": "show-code" in tags, "outputs": outputs, "found": "found" in tags}


def _merged(cells: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same cells, but code that shows nothing shares the fold of the code that follows."""
    merged = [{}]
    for cell in filter(None, cells):
        last = merged[-1]
        if cell.get("code") and last.get("code") and not last["outputs"] and last["open"] == cell["open"]:
            merged[-1] = cell | {"code": last["code"] + cell["code"]}
        else:
            merged.append(cell)
    return merged[1:]


def _output(output: nbformat.NotebookNode, markdown: MarkdownWithMath) -> Shown | None:
    if output.output_type == "error":
        raise ReportError(f"it ended with {output.ename}")
    if output.output_type == "stream":  # what goes to stderr, bars and warnings, is for the terminal
        return {"text": strip_ansi(output.text)} if output.name == "stdout" else None
    if "application/vnd.jupyter.widget-view+json" in output.data:  # a progress bar, dead without its kernel
        return None
    live = output.data.get(INTERACTIVE)  # drawn by a script in place of the still picture
    form = next((form for form in (FORMS if live is None else PICTURES) if form in output.data), None)
    if form is None:
        raise ReportError(f"no page can show an output of {', '.join(output.data)}")
    data, about = output.data[form], output.metadata.get(form, {})
    if form == "text/plain":
        return {"text": strip_ansi(data)}
    if form == "text/html":
        return {"html": _tidy(data)}
    if form in ("text/markdown", "text/latex"):
        return {"html": _tidy(markdown.render(data))}
    if not about.get("alt"):
        raise ReportError("a figure has no alt text: display it with figures.show(fig, alt=...)")
    image = f"data:{form};base64,"
    if form == "image/svg+xml":
        image += base64.b64encode(data.encode()).decode()
    elif form == "image/png":  # WebP has the same pixels in less than half the bytes
        image = _data_address(_encoded(_picture(image + data), "WEBP", lossless=True))
    else:
        image += "".join(data.split())
    return {"image": image, "alt": about["alt"], "width": about.get("width"), "interactive": live}


def _thumbnail(image: str) -> str:
    """A small copy of an image; both are data: addresses."""
    if image.startswith("data:image/svg"):
        return image
    picture = _picture(image)
    picture.thumbnail((480, 360))
    return _data_address(_encoded(picture, "WEBP", quality=90))


def _picture(image: str) -> Image.Image:
    """The picture behind a data: address."""
    return Image.open(BytesIO(base64.b64decode(image.partition(",")[2])))


def _encoded(picture: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def _data_address(webp: bytes) -> str:
    return "data:image/webp;base64," + base64.b64encode(webp).decode()


class _BlockParser(MathBlockParser):
    """Takes $$ for a display formula only where it starts a line, so that it may stand in `code`."""

    SPECIFICATION = MathBlockParser.SPECIFICATION | {
        "multiline_math": rf"^ {{0,3}}(?:{MathBlockParser.MULTILINE_MATH})"
    }


class _Renderer(IPythonRenderer):
    """Markdown to HTML: formulas as MathML, headings in order, each with an id and added to `headings`."""

    def __init__(self, headings: Headings, attachments: Mapping[str, Any]) -> None:
        super().__init__(escape=False, attachments=attachments)
        self.headings = headings

    def heading(self, text: str, level: int, **_: Any) -> str:
        above = self.headings[-1][0] if self.headings else 0
        if level > above + 1 or (level == 1 and above):
            raise ReportError(f"a heading of level {level} cannot follow one of level {above} (0: none)")
        anchor = re.sub(r"\s+", "-", _plain(text))  # as JupyterLab has it, so that links within a notebook hold
        while any(anchor == taken for _, taken, _ in self.headings):
            anchor += "-"
        self.headings.append((level, anchor, _unlinked(text)))
        if level == 1:
            return ""  # the template puts the title above everything else
        link = f'<a class="anchor" href="#{quote(anchor)}" aria-label="Link to this section">#</a>'
        return f'<h{level} id="{html.escape(anchor)}">{text}{link}</h{level}>\n'

    def inline_math(self, body: str) -> str:
        return _mathml(body, "inline")

    def block_math(self, body: str) -> str:
        return f'<span class="formula scroll">{_mathml(body, "block")}</span>'

    def latex_environment(self, name: str, body: str) -> str:
        return self.block_math(rf"\begin{{{name}}}{body}\end{{{name}}}")


def _mathml(latex: str, display: str) -> str:
    """MathML of a formula; raises ReportError where latex2mathml would show something else than was written."""
    known = re.sub(r"(\\(?:begin|end))\{(?:align|gather|split)(?:ed)?\*?\}", r"\1{align*}", latex)
    try:
        math = convert_to_element(known.strip(), display=display)
    except Exception as error:  # its errors have no common base
        raise ReportError(f"the formula {latex.strip()} is no LaTeX ({type(error).__name__})") from error
    for node in math.iter():
        node.text = html.unescape(node.text or "")
        if re.match(r"\\\w|&$", node.text) or (node.tag == "mo" and not node.text and not node.attrib):
            raise ReportError(f"latex2mathml does not know {node.text or 'a command'} in the formula {latex.strip()}")
        if node.text in ("|", "‖", "^"):
            node.attrib.setdefault("stretchy", "false")  # only \left and \right make them grow
        elif node.tag == "mi" and re.fullmatch("[a-z]{2,}", node.text):
            node.tag = "mo"  # a function keeps its distance: log x, not logx
        if node.tag == "mo" and node.text.isalpha():
            node.attrib.update(lspace="0.167em", rspace="0.167em")
    return ElementTree.tostring(math, encoding="unicode")


def _tidy(markup: str) -> Markup:
    """HTML fit for a page: tables have scopes and a box to scroll in, links between notebooks lead to their pages.

    Raises ReportError for an image without alt text and for anything that a browser would have to fetch.
    """
    soup = BeautifulSoup(markup, "html.parser")
    for style in soup.select("style[scoped]"):  # pandas' own look for tables
        style.decompose()
    css = " ".join(
        [sheet.get_text() for sheet in soup.select("style")] + [tag["style"] for tag in soup.select("[style]")]
    )
    fetched = [tag[key] for tag in soup.find_all(True) if tag.name != "a" for key in LOADING & tag.attrs.keys()]
    for address in fetched + re.findall(r"(?:url\(|@import)[\s'\"]*([^\s'\")]*)", css):
        if not address.startswith(("data:", "#")):
            raise ReportError(f"{address} would have to be fetched: attach it to the cell, so that the page holds it")
    if any(not image.get("alt") for image in soup.select("img")):
        raise ReportError("an image has no alt text: write ![what it shows](...)")
    for table in soup.select("table"):
        table.attrs.pop("border", None)
        table.wrap(soup.new_tag("div", attrs={"class": "scroll"}))
        _one_header(table)
        _mark_numbers(table)
    for header in soup.select("th"):
        header["scope"] = "col" if header.find_parent("thead") else "row"
        if not header.get_text(strip=True):
            header.name, header.attrs = "td", {}  # the corner of a table heads nothing
        for text in header.find_all(string=re.compile("_")):  # a long name may break after each of its words
            text.replace_with(*BeautifulSoup(html.escape(text).replace("_", "_<wbr/>"), "html.parser").contents)
    for link in soup.select("a[href]"):
        link["href"] = re.sub(r"^(\d\d_\w+)\.ipynb", r"\1.html", link["href"])
    return Markup(soup)


def _one_header(table: Tag) -> None:
    """Where pandas gives the names of the index a row of their own, put them beside the names of the columns."""
    rows = [row.find_all(["th", "td"]) for row in table.select("thead tr")]
    if len(rows) != 2 or len(rows[0]) != len(rows[1]):
        return
    pairs = [(above, below) for above, below in zip(*rows, strict=True) if below.get_text(strip=True)]
    if not any(above.get_text(strip=True) for above, _ in pairs):
        for above, below in pairs:
            above.replace_with(below)
        table.select("thead tr")[1].decompose()


def _mark_numbers(table: Tag) -> None:
    """Mark the columns that hold nothing but numbers, to be set flush right."""
    head, rows = ([row.find_all(["th", "td"]) for row in table.select(f"{part} tr")] for part in ("thead", "tbody"))
    if not rows or table.select("[colspan]"):
        return
    for k in range(1, min(map(len, [*head[:1], *rows])) + 1):  # from the right, where no cell spans several rows
        column = [cells[-k] for cells in rows]
        if all(cell.name == "td" and NUMBER.fullmatch(cell.get_text(strip=True)) for cell in column):
            for cell in column + [cells[-k] for cells in head[:1]]:
                cell["class"] = [*cell.get("class", []), "number"]


def _unlinked(markup: str) -> Markup:
    """The same without its links, to be put into one."""
    return Markup(re.sub(r"</?a\b[^>]*>", "", markup))


def _plain(markup: str) -> str:
    return BeautifulSoup(markup, "html.parser").get_text().strip()


# --- The command line ---


def _value(text: str) -> Any:
    """A parameter's value, written as in YAML."""
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ReportError(f"the value {text} is not YAML: put quotes around it") from error
    if value == text:  # a string without quotes
        with suppress(ValueError):
            return float(value)  # YAML 1.1 takes 1e-4 for one
    for item in value if isinstance(value, list) else [value]:
        if item is not None and not isinstance(item, str | int | float):
            raise ReportError(f"the value {text} is not a number, a string, true, false or null, nor a list of these")
    return value


def main(arguments: list[str] | None = None) -> int:
    """Do as the `arguments` say; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    runner = commands.add_parser("run", help="execute a notebook into runs/notebooks/")
    runner.add_argument("notebook", type=Path)
    runner.add_argument("-p", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"), help="set a parameter")
    commands.add_parser("build", help="render the executed notebooks to reports/")
    commands.add_parser("summary", help="say where the reports are, and the headline numbers")
    options = parser.parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # a terminal without α must not end a run
    index = ROOT / "reports" / "index.html"
    try:
        if options.command == "run":
            print(run(options.notebook, {name: _value(text) for name, text in options.p}))
        elif options.command == "build":
            print(build(ROOT / "notebooks", runs_root() / "notebooks", index.parent, ROOT / "README.md"))
        elif not index.exists():
            raise ReportError(f"{index} does not exist yet: make builds it")
        else:
            for label, found in results(runs_root()).items():
                print(f"{label}: {found['value']}", f"({found['note']})" if found["note"] else "")
            print(f"Reports: {index}")
    except (ReportError, OSError) as error:
        print(f"report.py: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0
