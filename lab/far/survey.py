"""What there is in the table of recipes: how far it has come, how high each rung is, what each ingredient is worth.

Whoever is compared was trained with the same seeds, and so judged by the same validation images. What a seed makes
easier or harder for all alike is therefore taken out of differences; what it does to each beyond that is taken to be of
one size for all, and measured on all of them together, as three seeds of one recipe say little.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy import ndarray
from scipy import stats

from lab.execution.notebook import Config
from lab.far import records, scouting
from lab.far.final import Kept
from lab.far.ladder import SEEDS, WHOLE, Ladder
from lab.search.sweepfile import read


def progress(table: pd.DataFrame, parts: Mapping[str, Iterable[Config]]) -> pd.DataFrame:
    """For each part of the plan: how many trainings it asks for, how many are there, and the core hours of these."""
    ends = records.ends(table)
    rows = []
    for part, configs in parts.items():
        asked = pd.Index([records.key(config) for config in configs]).unique()
        there = ends.loc[asked.intersection(ends.index)]
        hours = there["minutes"].sum() / 60
        rows.append({"part": part, "trained": len(there), "planned": len(asked), "core hours": hours})
    return pd.DataFrame(rows).set_index("part")


# --- recipes by name, each trained with several seeds ---


def _each(table: pd.DataFrame, recipes: Mapping[str, Config], seeds: Sequence[int], what: str) -> pd.DataFrame:
    """A figure of each training: a row for each recipe, a column for each seed, missing where there is none."""
    ends = records.ends(table)[what]
    rows = [[ends.get(records.key(recipe | {"seed": seed}), np.nan) for seed in seeds] for recipe in recipes.values()]
    return pd.DataFrame(rows, index=list(recipes), columns=list(seeds), dtype=float)


def accuracies(table: pd.DataFrame, recipes: Mapping[str, Config], seeds: Sequence[int] = SEEDS) -> pd.DataFrame:
    """A row for each recipe, a column for each seed that all of them have; if there is no such seed, those recipes
    that have the first."""
    each = _each(table, recipes, seeds, "accuracy")
    whole = each.dropna(axis="columns")
    return whole if len(whole.columns) else each[list(seeds[:1])].dropna()


def climb(table: pd.DataFrame, ladder: Ladder) -> pd.DataFrame:
    """Accuracies of the rungs, up to the first that is lacking."""
    each = accuracies(table, ladder.rungs())
    return each.loc[list(itertools.takewhile(each.index.__contains__, ladder.rungs()))]


def minutes(table: pd.DataFrame, recipes: Mapping[str, Config], seeds: Sequence[int] = SEEDS) -> pd.Series:
    """Core minutes of a training of each recipe, the mean over the seeds that are there."""
    return _each(table, recipes, seeds, "minutes").mean(axis=1)


def deviation(each: pd.DataFrame) -> tuple[float, int]:
    """By how much a seed moves a recipe beyond what it moves all alike, given their accuracies: a standard deviation,
    and its degrees of freedom, of the analysis of variance by recipes and seeds (Fisher, 1925); 0 of them with one."""
    values, free = each.to_numpy(), (len(each) - 1) * (len(each.columns) - 1)
    if free <= 0:
        return np.nan, 0
    expected = values.mean(axis=0) + values.mean(axis=1, keepdims=True) - values.mean()
    return float(np.sqrt(np.square(values - expected).sum() / free)), free


def differences(each: pd.DataFrame, pairs: Mapping[str, str]) -> pd.DataFrame:
    """How much more accurate recipes are than another one each: `difference`, and `low` to `high`, a 95 % interval that
    holds for all at once (Bonferroni), missing with one seed."""
    means, (error, free) = each.mean(axis=1), deviation(each)
    quantile = stats.t.ppf(1 - 0.025 / len(pairs), free) if free and pairs else np.nan
    half = quantile * error * np.sqrt(2 / len(each.columns))
    more = pd.Series({name: means[name] - means[other] for name, other in pairs.items()}, dtype=float)
    return pd.DataFrame({"difference": more, "low": more - half, "high": more + half})


def rungs(each: pd.DataFrame) -> pd.DataFrame:
    """Differences of each rung from the one before it, given their accuracies from the first on."""
    return differences(each, dict(zip(each.index[1:], each.index[:-1], strict=True)))


def changes(each: pd.DataFrame, whole: str = WHOLE) -> pd.DataFrame:
    """Differences of all others from one, which is `whole`; none without it."""
    return differences(each, {name: whole for name in each.index if name != whole and whole in each.index})


def described(each: pd.DataFrame, gains: pd.DataFrame, words: Sequence[str], cost: pd.Series) -> pd.DataFrame:
    """Recipes as a page shows them: their mean accuracy in per cent, their `gains`, which are differences, in points,
    what these say in `words`, and their cost in core minutes. With one seed there are no intervals, and no words."""
    points = (100 * gains).set_axis(["gain", "from", "to"], axis="columns").assign(verdict=list(words))
    if not any(words):
        points = points[["gain"]]
    frame = pd.DataFrame({"accuracy (%)": 100 * each.mean(axis=1)}).join(points)
    return frame.join(cost.rename("core minutes"))


# --- scouting ---


def varied(path: Path) -> list[str]:
    """The parameters that a sweep's file varies, but for the seed."""
    return [name for name, parameter in read(path).space.items() if len(parameter.choices) > 1 and name != "seed"]


def recipes(path: Path) -> tuple[dict[str, Config], list[int]]:
    """The recipes of a sweep, each called by what it varies, and the seeds with which all are trained."""
    asked, names = scouting.recipes(path), varied(path)
    named = {
        ", ".join(f"{name} {records.plain(config[name])}" for name in names): scouting.bare(config) for config in asked
    }
    return named, sorted({config["seed"] for config in asked})


def scouted(table: pd.DataFrame, path: Path) -> pd.DataFrame:
    """A row for each training of a sweep that is there, best first: what varies, the metric, and `core minutes`."""
    ends, names = records.ends(table), varied(path)
    there = [config for config in scouting.recipes(path) if records.key(config) in ends.index]
    rows = pd.DataFrame([{name: records.plain(config[name]) for name in names} for config in there], columns=names)
    rows[[records.METRIC, "core minutes"]] = ends.loc[[records.key(config) for config in there]].to_numpy()
    return rows.sort_values(records.METRIC, ascending=False, kind="stable", ignore_index=True)


# --- the test images ---


def networks(kept: Kept, who: str) -> ndarray:
    """What the networks of a finalist say of the test images, in the order of their seeds: (networks, images, classes);
    empty without any."""
    said = kept.get(who, {})
    return np.array([said[seed] for seed in sorted(said)]) if said else np.empty((0, 0, 1))


def mistakes(probabilities: ndarray, labels: ndarray) -> pd.DataFrame:
    """Those of an ensemble, surest first, given what each network says, (networks, images, classes): the number of the
    `image`, its `label`, what is `said` instead, how `sure` the ensemble is, and how many networks are `agreed` on it.
    """
    mean = probabilities.mean(axis=0)
    said = mean.argmax(axis=1)
    agreed = (probabilities.argmax(axis=2) == said).sum(axis=0)
    rows = pd.DataFrame({"image": np.arange(len(labels)), "label": labels, "said": said, "sure": mean.max(axis=1)})
    wrong = rows.assign(agreed=agreed)[said != labels]
    return wrong.sort_values("sure", ascending=False, kind="stable", ignore_index=True)
