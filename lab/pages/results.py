"""The headline numbers: read from results.json, shown on the index and in the README."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from common.files import write_whole
from lab.pages.refusals import ReportError
from lab.pages.typography import typeset
from lab.tracking.described import Damaged, Results, read_as


def tell(readme: Path, found: Mapping[str, Mapping[str, Any]], alt: str) -> None:
    """Put the results, a table and a picture, between the markers of the README; without markers it stays as it is."""
    rows = [("Result", "Value", "Note"), ("---", "---", "---")]
    rows += [(label, entry["value"], entry["note"]) for label, entry in found.items()]
    table = "\n".join(f"| {' | '.join(_cell(cell) for cell in row)} |" for row in rows)
    alt = re.sub(r"([\[\]])|\s+", lambda found: f"\\{found[1]}" if found[1] else " ", alt)  # so that it stays one
    section = f"\n\n{table}\n\n![{alt}](reports/result.png)\n\n"
    old = readme.read_text(encoding="utf-8")
    new = re.sub("(?<=<!-- results -->).*?(?=<!-- /results -->)", lambda _: section, old, count=1, flags=re.DOTALL)
    if new != old:
        write_whole(readme, new)


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
