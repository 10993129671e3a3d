"""A choice that holds: the best of a sweep are run again with further seeds, and the mean over all of them decides.

They are kept in a folder beside the sweep's. How many it takes for a choice that holds, chapter 7 computes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from common.files import read_json, write_json
from lab.execution.notebook import Config
from lab.search.confirmation import Confirmation
from lab.search.reading import SweepError
from lab.search.results import Result, best, folder_of, ranked, result_of, results, sought
from lab.tracking import Record, record_of, run_name, value_of

if TYPE_CHECKING:
    import pandas as pd

SUFFIX, FILE = "-confirmed", "confirmation.json"  # of the folder beside the last sweep's, and in it


def candidates(names: Sequence[str], count: int, root: str | Path | None = None) -> list[Config]:
    """The best so many configurations of sweeps that seek the same, without their seeds, best first.

    Raises SweepError where none has finished.
    """
    _, goal = sought(*names, root=root)
    found = ranked((result for name in names for result in results(name, root)), goal)
    configs = (_without_seed(result.config) for result in found if result.value is not None)
    different: dict[str, Config] = {}
    for config in configs:
        different.setdefault(run_name(config), config)
    if not different:
        raise SweepError(f"sweep {' and '.join(map(repr, names))} has no finished run to confirm yet")
    return list(different.values())[:count]


def confirm(
    names: Sequence[str],
    asked: Confirmation,
    run: Callable[[list[Config], str], list[Record]],
    root: str | Path | None = None,
) -> list[Result]:
    """Run the best of sweeps with further seeds, keep what was asked for, and return what they come to, best first.

    `run` runs configurations under a name, and returns their records in order; what a sweep has on record it copies.
    """
    metric, goal = sought(*names, root=root)
    groups = [
        [config | {"seed": seed} for seed in range(asked.seeds)] for config in candidates(names, asked.best, root)
    ]
    folder = _folder(names, root)
    if "study" in read_json(folder / "sweep.json"):
        raise SweepError(
            f"{folder.name} is a sweep of its own, where the confirmation of {names[-1]} belongs: rename it"
        )
    records = run([config for group in groups for config in group], f"{names[-1]}{SUFFIX}")
    parts = [records[k : k + asked.seeds] for k in range(0, len(records), asked.seeds)]
    state = {"sweeps": list(names), **asdict(asked), "metric": metric, "goal": goal}
    state["runs"] = [[record["name"] for record in part] for part in parts]
    write_json(folder / FILE, state)
    return ranked((result_of(part, metric, asked.seeds) for part in parts), goal)


def confirmed(*names: str, root: str | Path | None = None) -> list[Result]:
    """What a confirmation of these sweeps has come to, best first; empty if there is none of what they hold now.

    A confirmation.json that is damaged is named, and taken for none.
    """
    from lab.tracking.described import Confirmed, Damaged, read_as  # here, since it takes long to import

    folder = _folder(names, root)
    try:
        state = read_as(Confirmed, folder / FILE)
    except Damaged as error:
        print(f"{error}: run the sweep with --confirm again", flush=True)
        state = None
    if state is None or state["sweeps"] != list(names):
        return []
    current = {record["fingerprint"] for result in results(names[-1], root) for record in result.records}
    groups = [[record_of(folder / run) for run in runs] for runs in state["runs"]]
    groups = [group for group in groups if group and all(record.get("fingerprint") in current for record in group)]
    now = [run_name(config) for config in candidates(names, state["best"], root)]
    if [run_name(_without_seed(group[0]["config"])) for group in groups] != now:
        return []
    return ranked((result_of(group, state["metric"], state["seeds"]) for group in groups), state["goal"])


def choice(*names: str, root: str | Path | None = None) -> Record:
    """The record of what sweeps that seek the same would choose: the first of its confirmation, or the best run."""
    found = confirmed(*names, root=root)
    return found[0].records[0] if found and found[0].value is not None else best(*names, root=root)


def table_of(found: Iterable[Result], metric: str = "validationaccuracy") -> pd.DataFrame:
    """A row for each confirmed configuration, best first: the `first` seed's value and its `place` by that, the mean
    over all seeds, its 95 % interval from `low` to `high`, and the configuration."""
    import pandas as pd
    from scipy import stats

    rows = []
    for result in found:
        values = [value_of(record, metric) for record in result.records]
        row = {"first": values[0], "mean": result.value, "low": None, "high": None, "seeds": len(values)}
        if result.value is not None:
            half = float(stats.sem(values) * stats.t.ppf(0.975, len(values) - 1))
            row |= {"low": result.value - half, "high": result.value + half}
        rows.append(row | _without_seed(result.config))
    frame = pd.DataFrame(rows)
    frame.insert(0, "place", frame["first"].rank(ascending=False, method="min").astype(int))
    return frame


def sentence(found: Sequence[Result], metric: str, asked: Confirmation) -> str:
    """What a confirmation has come to."""
    top, first = found[0], max(found, key=lambda result: value_of(result.records[0], metric) or -np.inf)
    if top.value is None:
        return f"{asked}: none of them finished with every seed"
    name = top.records[0]["name"]
    verdict = "which was best by its first seed too" if top is first else "another than by the first seed alone"
    return f"{asked}: best mean {metric} {top.value:.4f}, {verdict}: {name}"


def _folder(names: Sequence[str], root: str | Path | None) -> Path:
    return folder_of(f"{names[-1]}{SUFFIX}", root)


def _without_seed(config: Config) -> Config:
    return {key: value for key, value in config.items() if key != "seed"}
