"""All pages and their index, from executed notebooks: what stands around the cells that the exporter renders."""

from __future__ import annotations

import base64
import hashlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader

from common.files import write_whole
from lab.pages import pictures
from lab.pages.exporter import TEMPLATES, Page, page
from lab.pages.markup import parsed
from lab.pages.refusals import ReportError
from lab.pages.results import Figure, results, tell
from lab.pages.typography import typeset

RUNS, SWEEP, TRAINING = "runs", "04_sweep", "03_train"  # the folder of runs' pages, who leads there, what they ran
SHOWN = ("05_evaluation", "01_dataset", "04_sweep", "09_your_own_picture")  # pages whose pictures README shows

# On a page: when, how, and how fast, with the empty lines around it, each run of which is looked at once.
MADE = re.compile(rb"(?:(?<!\n)\n++)?<!-- made -->.*?<!-- /made -->\n*+", re.DOTALL)


def build(sources: Path, executed: Path, reports: Path, readme: Path | None = None) -> Path:
    """Render the executed form of every notebook in `sources` to a page in `reports`; return their index.

    The headline numbers come from results.json beside `executed`; `readme` shows them too, with some pages' pictures,
    which stand beside these. Nothing is written unless everything can be, and the index, make's target, comes last. A
    page that would show the same as before is left as it is.
    """
    pages = [page(executed / f"{name}.ipynb") for name in _names(sources, executed)]
    headline, shown = results(executed.parent), _shown(pages)
    runs = [page(path) for path in sorted((executed / RUNS).glob("[0-9][0-9].ipynb"))]
    files = {reports / name: content for name, content in (_rendered(pages, headline) | _rendered_runs(runs)).items()}
    index = files.pop(reports / "index.html")
    for one in shown:
        files[reports / f"{one.name}.png"] = pictures.encoded(pictures.picture(one.cover["src"]), "PNG", optimize=True)

    (reports / RUNS if runs else reports).mkdir(parents=True, exist_ok=True)
    for path, content in files.items():
        _write(path, content)
    made = (*reports.glob("[0-9][0-9]_*.html"), *reports.glob("*.png"), *reports.glob(f"{RUNS}/*.html"))
    for stale in set(made) - files.keys():
        stale.unlink()
    if readme and readme.exists() and headline:
        tell(readme, headline, [Figure(one.name, one.cover["alt"], _says(one)) for one in shown])
    _write(reports / "index.html", index)
    os.utime(reports / "index.html")  # for make, even if it is as it was
    return reports / "index.html"


def _write(path: Path, content: bytes) -> None:
    """Write a file, unless the one that is there shows the same: then it stays, and still says how it was made.

    How long things took is part of that, and changes each time; so it stands beside its own date and machine.
    """
    if not path.exists() or MADE.sub(b"", path.read_bytes()) != MADE.sub(b"", content):
        write_whole(path, content)


def _names(sources: Path, executed: Path) -> list[str]:
    names = sorted(path.stem for path in sources.glob("*.ipynb") if re.fullmatch(r"\d\d_\w+", path.stem))
    missing = [name for name in names if not (executed / f"{name}.ipynb").exists()]
    if missing or not names:
        raise ReportError(f"not executed yet: {', '.join(missing) or sources}; run make, or python report.py run")
    return names


def _shown(pages: list[Page]) -> list[Page]:
    """The pages whose pictures README shows."""
    named = [page for name in SHOWN for page in pages if page.name == name]
    return [page for page in named if page.cover and not page.cover["src"].startswith(f"data:{pictures.SVG}")]


def _says(page: Page) -> str:
    """What a page has found, as text: what stands in bold in its lead, or else the whole of it."""
    lead = parsed(page.lead)
    return (lead.find("strong") or lead).get_text()


def _rendered(pages: list[Page], headline: Mapping[str, Any]) -> dict[str, bytes]:
    """The files of a report: their names and contents."""
    files = {f"{this.name}.html": _one(*turn, source=this.name) for *turn, this in _turns(pages)}
    font = _font(*(text for page in pages for text in (page.title[1], page.lead)))
    return files | {"index.html": _filled("index", ["report.js"], pages=pages, results=headline, formulas=font)}


def _rendered_runs(runs: list[Page]) -> dict[str, bytes]:
    """The pages of single runs, in a folder of their own."""
    frame = {"up": "../", "above": SWEEP, "source": TRAINING}
    return {f"{RUNS}/{this.name}.html": _one(*turn, **frame) for *turn, this in _turns(runs)}


def _turns(pages: list[Page]) -> Iterator[tuple[Page, Page | None, Page | None, Page]]:
    """Each page, the one before it, the one after it; and once more the page."""
    return zip(pages, [None, *pages], [*pages[1:], None], pages, strict=False)


def _one(this: Page, before: Page | None, after: Page | None, **frame: str) -> bytes:
    scripts, font = [*["interactive.js"] * this.interactive, "report.js"], _font(this.title[1], this.body)
    return _filled("page", scripts, page=this, before=before, after=after, formulas=font, **frame)


def _font(*texts: str) -> str | None:
    """The font of formulas as a data: address, where there is one in these texts; reports/ holds it nowhere else."""
    if not any("<math" in text for text in texts):
        return None
    return "data:font/woff;base64," + base64.b64encode((TEMPLATES / "fonts/formulas.woff").read_bytes()).decode()


def _filled(template: str, scripts: Sequence[str], **values: Any) -> bytes:
    """A page whose own scripts, and no others, run in it: their hashes are its content security policy."""
    templates = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True, lstrip_blocks=True)
    templates.filters["moment"] = lambda date: f"{datetime.fromisoformat(date):%d %B %Y, %H:%M} UTC"
    templates.filters["typeset"] = typeset
    texts = [(TEMPLATES / name).read_text(encoding="utf-8") for name in scripts]
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in texts]
    shown = templates.get_template(f"{template}.html.j2").render(scripts=texts, hashes=hashes, **values)
    return shown.encode()
