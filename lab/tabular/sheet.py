"""The part of the table's data sheet that is computed: how far it is, by which code and on which machines."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

from common.files import write_whole
from lab.tabular import survey
from lab.tabular import table as tabular

SHEET = tabular.TABLE.with_name("README.md")
MARKED = re.compile(r"(?<=<!-- state -->).*?(?=<!-- /state -->)", re.DOTALL)


def state(table: pd.DataFrame) -> str:
    """What is there, as Markdown: trainings by seed, and by commit and machine."""
    rows = ["| seed | trainings | planned | diverged | hours, beside other work |", "| --- | --- | --- | --- | --- |"]
    for seed, row in survey.progress(table).iterrows():
        rows.append(f"| {seed} | {row.trainings:,.0f} | {row.planned:,.0f} | {row.diverged:.0f} | {row.hours:.1f} |")
    made = table[table["epoch"] == 1].groupby(["commit", "machine"]).size()
    lines = [f"- {count:,} by {commit} on {machine}" for (commit, machine), count in made.items()]
    return "\n".join([*rows, "", "Trainings, by commit of the code, and machine:", "", *lines])


def tell(table: pd.DataFrame, path: Path = SHEET) -> None:
    """Put it between the markers of the data sheet; without one, or without markers, nothing is written."""
    if path.exists():
        old = path.read_text(encoding="utf-8")
        new = MARKED.sub(lambda _: f"\n\n{state(table)}\n\n", old, count=1)
        if new != old:
            write_whole(path, new)
