"""A choice that holds: the best of a sweep are run again with further seeds, and the mean over all of them decides.

They are kept in a folder beside the sweep's. How many it takes for a choice that holds, chapter 7 computes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from common.files import read_json, write_json
from lab.execution.notebook import Config
from lab.search import results
from lab.search.confirmation import Confirmation
from lab.search.reading import SweepError
from lab.search.results import Result, best_of, folder_of, ranked, result_of, sought
from lab.tracking import Record, record_of, run_name, value_of

if TYPE_CHECKING:
    import pandas as pd

SUFFIX, FILE = "-confirmed", "confirmation.json"  # of the folder beside the last sweep's, and in it


def candidates(names: Sequence[str], count: int, root: str | Path | None = None) -> list[Config]:
    """The best so many configurations of sweeps that seek the same, without their seeds, best first.

    Raises SweepError where none has finished.
    """
    ranking = sought(*names, root=root).ranked
    configs = (_without_seed(result.config) for result in ranking if result.value is not None)
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
    metric, goal, _ = sought(*names, root=root)
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
    current = {record["fingerprint"] for result in results.results(names[-1], root) for record in result.records}
    groups = [[record_of(folder / run) for run in runs] for runs in state["runs"]]
    groups = [group for group in groups if group and all(record.get("fingerprint") in current for record in group)]
    now = [run_name(config) for config in candidates(names, state["best"], root)]
    if [run_name(_without_seed(group[0]["config"])) for group in groups] != now:
        return []
    return ranked((result_of(group, state["metric"], state["seeds"]) for group in groups), state["goal"])


def best(*names: str, root: str | Path | None = None) -> Record:
    """The record of what sweeps that seek the same come to: the first of their confirmation, or else their best run.

    It is that of the first seed of a configuration. Raises SweepError where no run has finished.
    """
    confirmation = confirmed(*names, root=root)
    if confirmation and confirmation[0].value is not None:
        return confirmation[0].records[0]
    return best_of(*names, root=root)


def status(name: str, root: str | Path | None = None) -> str:
    """A sentence: how many runs a sweep has and should have, what became of them, which is best, and if that held."""
    text, confirmation = results.status(name, root), confirmed(name, root=root)
    if confirmation and (mean := confirmation[0].value) is not None:
        records = confirmation[0].records
        text += f"; confirmed by {len(records)} seeds: mean {mean:.4f}, {records[0]['name']}"
    return text


def table_of(confirmation: Iterable[Result], metric: str, goal: str) -> pd.DataFrame:
    """A row for each confirmed configuration, best first: the `first` seed's value and its `place` by that, the mean
    over all seeds, its 95 % interval from `low` to `high`, and the configuration."""
    import pandas as pd

    from common.intervals import seed_interval  # here, since SciPy's statistics take long to import

    rows = []
    for result in confirmation:
        values = [value_of(record, metric) for record in result.records]
        low, high = seed_interval(values) if result.value is not None else (None, None)
        row = {"first": values[0], "mean": result.value, "low": low, "high": high, "seeds": len(values)}
        rows.append(row | _without_seed(result.config))
    table = pd.DataFrame(rows)
    place = table["first"].rank(ascending=goal == "minimize", method="min").astype(int)
    table.insert(0, "place", place)
    return table


def sentence(confirmation: Sequence[Result], metric: str, goal: str, asked: Confirmation) -> str:
    """What a confirmation has come to."""
    top = confirmation[0]
    if top.value is None:
        return f"{asked}: none of them finished with every seed"
    by_first_seed = ranked([result_of(result.records[:1], metric) for result in confirmation], goal)
    name = top.records[0]["name"]
    same = by_first_seed[0].records[0]["name"] == name
    verdict = "which was best by its first seed too" if same else "another than by the first seed alone"
    return f"{asked}: best mean {metric} {top.value:.4f}, {verdict}: {name}"


def _folder(names: Sequence[str], root: str | Path | None) -> Path:
    return folder_of(f"{names[-1]}{SUFFIX}", root)


def _without_seed(config: Config) -> Config:
    return {key: value for key, value in config.items() if key != "seed"}
