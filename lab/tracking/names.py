"""Where runs are kept, and what they are called: by their configuration."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from common.names import file_name

REPOSITORY = Path(__file__).resolve().parents[2]
ABBREVIATIONS = {
    "layers": "hl",
    "num_hidden_neurons": "hn",
    "batch_size": "bs",
    "activation": "ac",
    "initializer": "in",
    "optimizer": "op",
    "learning_rate": "lr",
    "weight_decay": "wd",
    "max_epochs": "ep",
    "loss": "lo",
    "seed": "se",
}
HOUSEKEEPING = {"folder", "draw"}  # parameters of the notebook that are no part of a configuration
USUAL = {  # shows in a name only where it differs
    "validation_fraction": 0.1,
    "schedule": "constant",
    "warmup": 0.0,
    "dropout": 0.0,
    "input_dropout": 0.0,
    "label_smoothing": 0.0,
    "mixup": 0.0,
    "normalization": "none",
    "augmentation": "none",
    "averaging": "none",
}


def runs_root() -> Path:
    """The folder of all runs: the environment variable FASHION_RUNS, or runs/ in the repository."""
    return Path(os.path.realpath(os.environ.get("FASHION_RUNS") or REPOSITORY / "runs"))


def run_name(config: Mapping[str, Any]) -> str:
    """A readable name, safe as a file name: equal for equal configurations (ADAM is adam, 0 is 0.0), else different."""
    config = flat(config)
    keys = [*ABBREVIATIONS, *sorted(config.keys() - ABBREVIATIONS.keys() - HOUSEKEEPING)]
    shown = [key for key in keys if config.get(key) is not None and config[key] != USUAL.get(key)]
    return file_name("_".join(f"{ABBREVIATIONS.get(key, key)}_{_text(config[key])}" for key in shown))


def flat(config: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """The entries of nested dictionaries by `outer.inner`; a dot within a name becomes %2E."""
    entries: dict[str, Any] = {}
    for key, value in config.items():
        name = above + quote(str(key), safe="").replace(".", "%2E")
        nested = isinstance(value, Mapping) and len(value) > 0
        entries |= flat(value, f"{name}.") if nested else {name: value}
    return entries


def same(one: object, other: object) -> bool:
    """Whether two values of a parameter mean the same, as in a name: ADAM is adam, 0 is 0.0."""
    return _text(one) == _text(other)


def _text(value: object) -> str:
    """A value as part of a file's name; text that could be taken for another value stands in quotes."""
    match value:
        case bool() | None:
            return str(value).casefold()
        case int():
            return str(value)
        case float():
            return str(int(value)) if value.is_integer() else float.__repr__(value)
        case str():
            text = value.casefold()
            return quote(f"'{text}'" if _is_literal(text) else text, safe="")
        case Mapping():
            entries = (f"{quote(str(key), safe='')}={_text(inner)}" for key, inner in sorted(value.items()))
            return f"{{{','.join(entries)}}}"
        case list() | tuple():
            return f"[{','.join(map(_text, value))}]"
    return quote(str(value), safe="")


def _is_literal(text: str) -> bool:
    try:
        return text in ("true", "false", "none") or float(text) is not None
    except ValueError:
        return False
