"""W&B's ways to give a parameter: from an entry of a sweep file to the parameter that it means.

The names, their settings and defaults, and what is refused are those of the schema of github.com/wandb/sweeps.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from typing import Any

from common.names import first_unknown
from lab.search.reading import SweepError, shown
from lab.search.space import EXACT, Drawn, Listed, Parameter, Real, Space, Stepped, Weighted, Whole
from lab.tracking import run_name

RANGE, BELL, BETA, Q = ("min", "max"), ("mu", "sigma"), ("a", "b"), ("q",)
SETTINGS = {
    "constant": ("value",),
    "categorical": ("values",),
    "categorical_w_probabilities": ("values", "probabilities"),
    "int_uniform": RANGE,
    **dict.fromkeys(("uniform", "log_uniform", "log_uniform_values"), RANGE),
    **dict.fromkeys(("inv_log_uniform", "inv_log_uniform_values"), RANGE),
    **dict.fromkeys(("q_uniform", "q_log_uniform", "q_log_uniform_values"), (*RANGE, *Q)),
    **dict.fromkeys(("normal", "log_normal"), BELL),
    **dict.fromkeys(("q_normal", "q_log_normal"), (*BELL, *Q)),
    "beta": BETA,
    "q_beta": (*BETA, *Q),
}
DEFAULTS = {"mu": 0, "sigma": 1, "a": 1, "b": 1, "q": 1}
POSITIVE = ("sigma", "a", "b", "q")
EXPONENTS = ("log_uniform", "inv_log_uniform", "q_log_uniform")
LISTS = ("constant", "categorical")
TO_VISIT = (*LISTS, "int_uniform", "q_uniform")  # by a grid
FURTHEST = 8.3  # standard deviations from the mean to any draw in double precision
NAME = r"[A-Za-z_][A-Za-z0-9_.-]*"


def read_space(parameters: Any, grid: bool, say: Callable[[str], object]) -> Space:
    """The parameters of a sweep file; raises SweepError, and says what is worth a line."""
    entries = _flat(parameters)
    space: dict[str, Parameter] = {}
    for path, entry in entries.items():
        name = ".".join(path)
        if name in space:
            raise SweepError(f"two parameters are {name!r}, one with a dot in its name and one nested: rename one")
        space[name] = _parameter(path, entry, grid, say)
    return space


def _flat(parameters: Any, above: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    """Entries by where they stand: `parameters` alone nests, a dot in a name is part of the name."""
    if not isinstance(parameters, dict) or not parameters:
        place = f" of {'.'.join(above)!r}" if above else ""
        raise SweepError(f"parameters{place} must name at least one parameter and its values, not {shown(parameters)}")
    entries: dict[tuple[str, ...], Any] = {}
    for key, entry in parameters.items():
        if not re.fullmatch(NAME, key):
            rule = "W&B's begin with a letter or _, and hold letters, digits, '_', '-' and '.' alone"
            raise SweepError(f"{shown(key)} cannot be the name of a parameter: {rule}")
        if isinstance(entry, dict) and entry.keys() == {"parameters"}:
            entries |= _flat(entry["parameters"], (*above, key))
        else:
            entries[*above, key] = entry
    return entries


def _parameter(path: tuple[str, ...], entry: Any, grid: bool, say: Callable[[str], object]) -> Parameter:
    name = ".".join(path)
    if not isinstance(entry, dict) or not entry:
        raise SweepError(f"parameter {name!r} must have value, values, or min and max, not {shown(entry)}")
    kind = _kind(name, entry)
    given = _settings(name, kind, entry)
    if grid and kind not in TO_VISIT:
        cure = "list its values" if kind == "categorical_w_probabilities" else "list values, or take q_uniform"
        raise SweepError(f"method grid needs values to visit, but parameter {name!r} is {kind}: {cure}")
    if "values" in given or "value" in given:
        return _listed(path, kind, given, say)
    _require_numbers(name, kind, given)
    if kind == "int_uniform":
        return _whole(path, given)
    return _stepped(path, given) if grid else _drawn(path, kind, given)


def _kind(name: str, entry: dict[str, Any]) -> str:
    """The distribution that an entry names, or that W&B takes it for."""
    kind = entry.get("distribution")
    if kind is not None:
        if sentence := first_unknown([kind], SETTINGS, f"a distribution (parameter {name!r})"):
            raise SweepError(sentence)
        return kind
    match entry:
        case {"value": _}:
            return "constant"
        case {"values": _, "probabilities": _}:
            return "categorical_w_probabilities"
        case {"values": _}:
            return "categorical"
        case {"min": low, "max": high}:
            return "int_uniform" if type(number(low)) is type(number(high)) is int else "uniform"
    if entry.keys() & DEFAULTS.keys():
        raise SweepError(f"parameter {name!r} has {shown(entry)}, but no distribution: name one")
    raise SweepError(f"parameter {name!r} must have value, values, or min and max, not {shown(entry)}")


def _settings(name: str, kind: str, entry: dict[str, Any]) -> dict[str, Any]:
    """The settings of a distribution, numbers as numbers, the defaults filled in."""
    known = SETTINGS[kind]
    if unknown := [key for key in entry if key not in (*known, "distribution")]:
        raise SweepError(f"parameter {name!r} has {unknown[0]!r}, but {kind} knows {' and '.join(known)} alone")
    given = {key: number(value) for key, value in entry.items() if key != "distribution"}
    if missing := [key for key in known if key not in given and key not in DEFAULTS]:
        raise SweepError(f"parameter {name!r} is {kind}, which needs {' and '.join(missing)}")
    return {key: given.get(key, DEFAULTS.get(key)) for key in known}


def number(value: Any) -> Any:
    """A number that YAML 1.1 takes for text, such as 1e-05, as the number, in lists and mappings too."""
    match value:
        case dict():
            return {key: number(inner) for key, inner in value.items()}
        case list():
            return [number(inner) for inner in value]
        case str() if re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+", value) and math.isfinite(float(value)):
            return float(value)
    return value


# --- values -----------------------------------------------------------------------------------------------------------


def _listed(path: tuple[str, ...], kind: str, given: dict[str, Any], say: Callable[[str], object]) -> Parameter:
    name = ".".join(path)
    values = [given["value"]] if kind == "constant" else given["values"]
    if not isinstance(values, list) or not values:
        raise SweepError(f"values of parameter {name!r} must be a list of at least one, not {shown(values)}")
    if kind != "categorical_w_probabilities":
        return Listed(path, once(name, values, say))
    shares = _probabilities(name, values, given["probabilities"])
    different = once(name, values, say)
    total = dict.fromkeys(map(key_of, different), 0.0)
    for value, share in zip(values, shares, strict=True):
        total[key_of(value)] += share
    possible = [value for value in different if total[key_of(value)] > 0]
    return Weighted(path, tuple(possible), tuple(total[key_of(value)] for value in possible))


def once(name: str, values: Iterable[Any], say: Callable[[str], object]) -> tuple[Any, ...]:
    """The values without those that are there already, ADAM being adam and 1 being 1.0; each of these gets a line."""
    different: dict[str, Any] = {}
    for value in values:
        first = different.setdefault(key_of(value), value)
        if first is not value:
            same = "twice" if first == value else f"and {shown(first)}, which are one"
            say(f"{name}: {shown(value)} {same}; it runs once")
    return tuple(different.values())


def key_of(value: Any) -> str:
    """Equal for equal values alone, as runs are named."""
    return run_name({"": value})


def _probabilities(name: str, values: list[Any], shares: Any) -> list[float]:
    if not isinstance(shares, list) or not all(_is_number(share) and share >= 0 for share in shares):
        raise SweepError(
            f"probabilities of parameter {name!r} must be a list of numbers from 0 on, not {shown(shares)}"
        )
    if len(shares) != len(values):
        raise SweepError(f"parameter {name!r} has {len(values)} values, but {len(shares)} probabilities")
    if not math.isclose(sum(shares), 1, rel_tol=1e-5):
        raise SweepError(f"probabilities of parameter {name!r} must sum to 1, not to {sum(shares):g}")
    return shares


# --- numbers ----------------------------------------------------------------------------------------------------------


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def _require_numbers(name: str, kind: str, given: dict[str, Any]) -> None:
    for key, value in given.items():
        if not _is_number(value):
            raise SweepError(f"{key} of parameter {name!r} must be a number, not {shown(value)}")
        if key in POSITIVE and value <= 0:
            raise SweepError(f"{key} of parameter {name!r} must be above 0, not {shown(value)}")
    if "min" in given and given["min"] >= given["max"]:
        low, high = shown(given["min"]), shown(given["max"])
        cure = f": take value: {low}" if low == high else ""
        raise SweepError(f"min {low} of parameter {name!r} is not less than max {high}{cure}")
    if kind in EXPONENTS and given["min"] > 0:
        bounds = "min {min!r} and max {max!r}".format(**given)
        rule = f"{kind} takes exponents of e, and {bounds} look like the values themselves"
        raise SweepError(f"parameter {name!r}: {rule}: take {kind}_values")
    if kind.endswith("log_uniform_values") and given["min"] <= 0:
        raise SweepError(f"min of parameter {name!r} must be above 0 for {kind}, not {shown(given['min'])}")


def _whole(path: tuple[str, ...], given: dict[str, Any]) -> Whole:
    name, low, high = ".".join(path), given["min"], given["max"]
    if not type(low) is type(high) is int:
        raise SweepError(
            f"min and max of parameter {name!r} must be whole numbers for int_uniform, not {low} and {high}"
        )
    if max(abs(low), abs(high)) > EXACT:
        raise SweepError(f"min and max of parameter {name!r} must lie within 2^53 of 0, where numbers are exact")
    return Whole(path, low, high)


def _stepped(path: tuple[str, ...], given: dict[str, Any]) -> Stepped:
    """The values that W&B's grid visits: from min on in steps of q, without max."""
    low, high, q = given["min"], given["max"], given["q"]
    _require_steps(".".join(path), low, high, q)
    return Stepped(path, low, q, math.ceil((high - low) / q))


def _drawn(path: tuple[str, ...], kind: str, given: dict[str, Any]) -> Parameter:
    name, q = ".".join(path), given.pop("q", None)
    law, arguments, low, high = _law(name, kind.removeprefix("q_"), given)
    if not math.isfinite(low) or not math.isfinite(high - low):
        raise SweepError(f"parameter {name!r} can become larger than numbers are: {kind} of {shown(given)}")
    if q is not None:
        _require_steps(name, low, high, q)
    elif law in ("uniform", "loguniform"):
        return Real(path, low, high, log=law == "loguniform")
    return Drawn(path, law, arguments, q)


def _law(name: str, kind: str, given: dict[str, Any]) -> tuple[str, tuple[float, ...], float, float]:
    """Scipy's name of a distribution and its arguments; and between what all that is drawn lies."""
    match kind, tuple(given.values()):
        case "uniform", (low, high):
            return "uniform", (low, high - low), low, high
        case "beta", (a, b):
            return "beta", (a, b), 0, 1
        case "normal", (mu, sigma):
            return "norm", (mu, sigma), mu - FURTHEST * sigma, mu + FURTHEST * sigma
        case "log_normal", (mu, sigma):
            low, high = (_exp(mu + sign * FURTHEST * sigma) for sign in (-1, 1))
            return "lognorm", (sigma, 0, _exp(mu)), low, high
        case "log_uniform", (low, high):
            low, high = _exp(low), _exp(high)
        case "inv_log_uniform", (low, high):  # the logarithm of 1/x is uniform
            low, high = _exp(-high), _exp(-low)
        case "log_uniform_values" | "inv_log_uniform_values", (low, high):
            pass  # the inverted one is no other, by the symmetry of the uniform distribution
        case _:
            raise NotImplementedError(f"{kind} is in SETTINGS, and has no law here")
    if not low > 0 or low == high:
        raise SweepError(f"min and max of parameter {name!r} make no range of numbers: {shown(given)}")
    return "loguniform", (low, high), low, high


def _exp(x: float) -> float:
    return math.exp(x) if x < 709 else math.inf


def _require_steps(name: str, low: float, high: float, q: float) -> None:
    if not max(abs(low), abs(high), high - low) / q < EXACT:
        raise SweepError(f"q {shown(q)} of parameter {name!r} is too small for numbers from {low:g} to {high:g}")
