"""The record of a run, record.json: what it was asked for, and what has come of it, epoch by epoch."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from common.files import clear, explained, make_folder, remove
from lab.tracking.names import flat, same

Record = dict[str, Any]  # what record.json holds
ENDED = ("finished", "diverged", "stopped")  # a run that ended so has its result


def record_of(folder: Path) -> Record:
    """The record of a run; an empty one where there is none, or a file that is none, which is then said once."""
    path = folder / "record.json"
    if not path.exists():
        return {}
    from lab.tracking.described import Damaged, RunRecord, read_as  # here, since a kernel seldom needs them

    try:
        return read_as(RunRecord, path) or {}
    except (Damaged, PermissionError) as error:
        say_once(f"{explained(error, 'read')}: it is left aside, and its run counts as not yet made")
        return {}


@functools.cache
def say_once(sentence: str) -> None:
    """Say something of a file that is looked at again and again."""
    print(sentence, file=sys.stderr, flush=True)


def contradiction(asked: Mapping[str, Any], record: Record) -> str | None:
    """One sentence on the first parameter that a run was asked for and has otherwise on record; None without one."""
    if asked and not record["config"]:
        return "the run has an empty configuration on record: a notebook gives its own to tracking.start"
    asked, said = flat(asked), flat(record["config"])
    for name, value in asked.items():
        if name in said and not same(value, said[name]):
            cause = "a cell of the notebook must have changed it"
            return f"the run was asked for {name} = {value!r}, but has {said[name]!r} on record: {cause}"
    return None


def value_of(record: Record, metric: str) -> float | None:
    """The metric of a finished run after its last epoch; None where there is none."""
    if record["status"] != "finished" or not record["history"]:
        return None
    value = record["history"][-1].get(metric)
    return value if type(value) in (int, float) else None


def prepare_folder(folder: Path) -> None:
    """Make a folder ready for a new run: what has its result stays, as previous_*, until the new run has its own.

    A record that is none is set aside as damaged_record.json.
    """
    make_folder(folder)
    clear(folder)
    record = record_of(folder)
    if not record:
        set_aside(folder / "record.json")
    ended = record.get("status") in ENDED
    for name in ("weights.npz", "record.json"):  # the record last: it says that there is something to keep
        path, previous = folder / name, folder / f"previous_{name}"
        remove(previous if ended else path)
        if path.exists():
            os.replace(path, previous)


def set_aside(path: Path) -> None:
    """Rename what is in the place of a record and is none, if there is anything."""
    if path.exists():
        damaged = path.with_name(f"damaged_{path.name}")
        remove(damaged)
        os.replace(path, damaged)
