"""The table of recipes, `tables/how_far.csv.xz`: a row for each epoch of each training.

Which question a training answers, the table does not say: a row names its whole configuration, so that what several
parts ask for is trained once, and what nobody asks for any more stays on record.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from lab.execution.notebook import Config
from lab.tabular import growing
from lab.tracking import REPOSITORY

TABLE = REPOSITORY / "tables" / "how_far.csv.xz"
KEYS = ("config",)
METRIC = "validationaccuracy"
GUESS = 0.1  # the accuracy of what diverged


def key(config: Config) -> str:
    """A configuration as the table names it."""
    return json.dumps(config, sort_keys=True)


def plain(value: Any) -> Any:
    """A value of a configuration as a cell of a table shows it."""
    return " + ".join(value) if isinstance(value, list) else value


def load(path: str | Path = TABLE) -> pd.DataFrame:
    """The table; without rows where there is none yet."""
    return growing.load(Path(path), KEYS)


def ends(table: pd.DataFrame) -> pd.DataFrame:
    """By configuration: its `accuracy` on the validation images after the last epoch, missing without such images, and
    the core `minutes` of its training, which other work on the machine makes longer."""
    runs = table.groupby("config", sort=False)
    last = runs.tail(1).set_index("config")
    accuracy = last[METRIC].astype(float).mask(last["status"] == "diverged", GUESS)
    return pd.DataFrame({"accuracy": accuracy, "minutes": runs["seconds"].sum().astype(float) / 60})
