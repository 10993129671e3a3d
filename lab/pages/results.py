"""The headline numbers: read from results.json, shown on the index and in the README."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from common.files import write_whole
from lab.pages.refusals import ReportError
from lab.pages.typography import typeset
from lab.tracking.described import Damaged, Results, read_as


class Figure(NamedTuple):
    """A page's picture as README shows it; all but the name is text, not markup."""

    name: str  # of the page, and of the picture beside it
    alt: str
    says: str  # what the page has found


def tell(readme: Path, headline: Mapping[str, Mapping[str, Any]], figures: Sequence[Figure]) -> None:
    """Put the results between the markers of the README; without markers it stays as it is.

    They are a table, the figure of the page that it is from, and others side by side below, each with what it found.
    """
    rows = [("Result", "Value", "Note"), ("---", "---", "---")]
    rows += [(label, entry["value"], entry["note"]) for label, entry in headline.items()]
    parts = [_table([map(_cell, row) for row in rows])]
    for figure in figures[:1]:
        parts.append(_picture(figure))
    if others := figures[1:]:
        parts.append(_table([map(_picture, others), ["---"] * len(others), (_text(figure.says) for figure in others)]))
    section = "".join(f"\n\n{part}" for part in parts if part) + "\n\n"
    old = readme.read_text(encoding="utf-8")
    new = re.sub("(?<=<!-- results -->).*?(?=<!-- /results -->)", lambda _: section, old, count=1, flags=re.DOTALL)
    if new != old:
        write_whole(readme, new)


def _table(rows: Iterable[Iterable[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _picture(figure: Figure) -> str:
    return f"[![{_text(figure.alt)}](reports/{figure.name}.png)](reports/{figure.name}.html)"


def _text(text: str) -> str:
    """As a cell, and nothing in it is Markdown."""
    return re.sub(r"([\\\[\]*_`$])", r"\\\1", _cell(text))


def _cell(value: Any) -> str:
    return typeset(" ".join(html.escape(str(value), quote=False).split())).replace("|", "&#124;")


def results(folder: Path) -> dict[str, dict[str, Any]]:
    """The headline numbers that 05_evaluation leaves in results.json: {label: {"value", "note"}}; empty without it."""
    path = folder / "results.json"
    try:
        entries = read_as(Results, path) or {}
    except Damaged as error:
        raise ReportError(f"{error}: execute 05_evaluation again") from error
    return {label: {"value": entry["value"], "note": entry.get("note", "")} for label, entry in entries.items()}
