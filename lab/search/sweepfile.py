"""A sweep file in W&B's format, read strictly: what it says means here exactly what it means there, or is refused."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from common.names import first_unknown
from lab.search.space import Config, Listed, Parameter, Real, Whole, size
from lab.search.stopping import GOALS, Hyperband, hyperband
from lab.tracking import run_name

SWEEP_KEYS = (
    *("name", "description", "project", "program", "command"),
    *("method", "metric", "parameters", "run_cap", "early_terminate", "seeds"),  # W&B does not know the last
)
METHODS = ("random", "bayes", "grid")
METRICS = {  # what runs report, and the column of a table (where `loss` is the loss function of the configuration)
    "loss": "trainloss",
    "accuracy": "trainaccuracy",
    "validationloss": "validationloss",
    "validationaccuracy": "validationaccuracy",
}
DISTRIBUTIONS = ("constant", "categorical", "uniform", "int_uniform", "log_uniform", "log_uniform_values")
RANGES = DISTRIBUTIONS[2:]
OTHERS = ("single", "notebooks")  # folders beside those of sweeps


class SweepError(ValueError):
    """What is wrong with a sweep, in one sentence."""


@dataclass(frozen=True)
class Sweep:
    """What a sweep file asks for."""

    name: str
    method: str  # random, grid or bayes
    metric: str  # one of METRICS, after the last epoch
    goal: str  # maximize or minimize
    space: dict[str, Parameter]
    run_cap: int | None
    project: str | None  # on W&B
    seeds: int  # runs of each configuration, with seeds 0, 1, ...; it counts by their mean
    stopping: Hyperband | None
    definition: Config  # what the file says that decides which runs are made
    source: Config  # all that it says

    @property
    def size(self) -> float:
        """The number of different configurations; infinite if a parameter is continuous."""
        return size(self.space)


def read(source: str | Path | dict) -> Sweep:
    """Read a sweep from a YAML or JSON file, or from a dictionary; raise SweepError for what it cannot mean here."""
    raw = source if isinstance(source, dict) else load(Path(source))
    require(raw, SWEEP_KEYS, "a supported key of a sweep")
    name = str(raw.get("name") or ("sweep" if isinstance(source, dict) else Path(source).stem))
    if not re.fullmatch(r"\w[\w .-]*", name):
        raise SweepError(f"name {name!r} must do as a folder: letters, digits, spaces, '.', '-' and '_'")
    refuse_name(name, (*OTHERS, "evaluation"))
    require([raw.get("method")], METHODS, "a supported method")
    metric = raw.get("metric") or {"name": "validationaccuracy", "goal": "maximize"}
    if not isinstance(metric, dict) or metric.keys() != {"name", "goal"}:
        raise SweepError(f"metric must have a name and a goal, not {metric!r}")
    require([metric["name"]], METRICS, "a metric that runs report")
    require([metric["goal"]], GOALS, "a goal")
    cap, parameters = raw.get("run_cap"), raw.get("parameters")
    if cap is not None and (type(cap) is not int or cap < 1):
        raise SweepError(f"run_cap must be a number of runs, at least 1, not {cap!r}")
    seeds = raw.get("seeds", 1)
    if type(seeds) is not int or seeds < 1:
        raise SweepError(f"seeds must be a number of runs of each configuration, at least 1, not {seeds!r}")
    if not isinstance(parameters, dict) or not parameters:
        raise SweepError(f"parameters must name at least one parameter and its values, not {parameters!r}")
    if seeds > 1 and "seed" in parameters:
        raise SweepError("seeds and the parameter 'seed' say the same thing: leave one of them out")
    try:
        stopping = hyperband(raw["early_terminate"]) if raw.get("early_terminate") is not None else None
    except ValueError as error:
        raise SweepError(str(error)) from error
    space = {".".join(path): _parameter(path, entry) for path, entry in _flat(parameters).items()}
    continuous = [key for key, parameter in space.items() if parameter.choices is None]
    if raw["method"] == "grid" and continuous:
        raise SweepError(f"method grid needs values to visit, but parameter {continuous[0]!r} is continuous")
    definition = {"method": raw["method"], "metric": metric, "parameters": parameters}
    definition |= {key: raw[key] for key in ("seeds", "early_terminate") if raw.get(key) is not None}
    goal, project = metric["goal"], raw.get("project")
    said = dict(raw) | {"name": name}
    return Sweep(name, raw["method"], metric["name"], goal, space, cap, project, seeds, stopping, definition, said)


def load(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
        raw = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise SweepError(f"{path} cannot be read: {' '.join(str(error).split())}") from error
    if not isinstance(raw, dict):
        raise SweepError(f"{path} must hold names and their values, not {raw!r}")
    return raw


def refuse_name(name: str, taken: Iterable[str]) -> None:
    if name.casefold() in taken:  # a file system may not tell capitals from small letters
        raise SweepError(f"a sweep cannot have the name {name!r}, whose folder keeps other runs: choose another name")


def require(names: Iterable[object], known: Iterable[str], what: str) -> None:
    if sentence := first_unknown(names, list(known), what):
        raise SweepError(sentence)


def _flat(parameters: dict[str, Any], above: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    """Entries by where they stand: `parameters` alone nests, a dot in a name is part of the name."""
    found: dict[tuple[str, ...], Any] = {}
    for key, entry in parameters.items():
        if isinstance(entry, dict) and entry.keys() == {"parameters"} and isinstance(entry["parameters"], dict):
            found |= _flat(entry["parameters"], (*above, key))
        else:
            found[*above, key] = entry
    return found


def _parameter(path: tuple[str, ...], entry: Any) -> Parameter:
    """One parameter, from its entry."""
    key = ".".join(path)
    if not isinstance(entry, dict):
        raise SweepError(f"parameter {key!r} must have value, values, or min and max, not {entry!r}")
    kind, given = entry.get("distribution"), entry.keys() - {"distribution"}
    if kind == "q_uniform":
        cure = "list its values, or take int_uniform"
        raise SweepError(f"q_uniform (parameter {key!r}) draws its end points half as often as the others: {cure}")
    require([kind or "constant"], DISTRIBUTIONS, f"a supported distribution (parameter {key!r})")
    require(given, ("value", "values", "min", "max"), f"a supported key of parameter {key!r}")
    if given == {"value"} and kind in (None, "constant"):
        return Listed(path, _values(key, [entry["value"]]))
    if given == {"values"} and kind in (None, "categorical"):
        return Listed(path, _values(key, entry["values"]))
    if given == {"min", "max"} and kind in (None, *RANGES):
        return _range(path, kind, number(entry["min"]), number(entry["max"]))
    raise SweepError(f"parameter {key!r} must have value, values, or min and max of a range, not {entry}")


def _values(key: str, values: Any) -> tuple[Any, ...]:
    if not isinstance(values, list) or not values:
        raise SweepError(f"values of parameter {key!r} must be a list of at least one, not {values!r}")
    choices = tuple(number(value) for value in values)
    if any(not isinstance(choice, str | bool | int | float | None) for choice in choices):
        raise SweepError(f"values of parameter {key!r} must be numbers, strings, booleans or null, not {values}")
    if len({run_name({key: choice}) for choice in choices}) < len(choices):
        raise SweepError(f"values of parameter {key!r} name the same value twice: {values}")
    return choices


def _range(path: tuple[str, ...], kind: str | None, low: Any, high: Any) -> Parameter:
    key, whole = ".".join(path), type(low) is type(high) is int
    if not all(type(bound) in (int, float) and math.isfinite(bound) for bound in (low, high)):
        raise SweepError(f"min and max of parameter {key!r} must be numbers, not {low!r} and {high!r}")
    if low > high:
        raise SweepError(f"min and max of parameter {key!r} make no range: {low} is above {high}")
    try:
        match kind or ("int_uniform" if whole else "uniform"):
            case "uniform":
                return Real(path, low, high)
            case "log_uniform_values" if low > 0:
                return Real(path, low, high, log=True)
            case "log_uniform":  # W&B takes its bounds for natural logarithms
                return Real(path, math.exp(low), math.exp(high), log=True)
            case "int_uniform" if whole:
                return Whole(path, low, high)
            case "log_uniform_values":
                raise SweepError(f"min and max of parameter {key!r} make no range: {low} has no logarithm")
    except OverflowError as error:
        raise SweepError(f"min and max of parameter {key!r} make no range: {error}") from error
    raise SweepError(f"min and max of parameter {key!r} must be whole numbers for int_uniform, not {low} and {high}")


def number(value: Any) -> Any:
    """A number that YAML 1.1 takes for a string, such as 1e-05, as the number; anything else as it is."""
    if isinstance(value, dict):
        return {key: number(entry) for key, entry in value.items()}
    exponential = isinstance(value, str) and re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+", value)
    return float(value) if exponential else value
