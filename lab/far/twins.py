"""What the winner's recipe reaches in PyTorch: the table that `benchmarks/twin.py` grows, a row a network."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from lab.tracking import REPOSITORY

TABLE = REPOSITORY / "tables" / "how_far_twin.csv"
COLUMNS = ["recipe", "seed", "accuracy", "core minutes", "torch"]  # accuracy: on the test images


def load(path: str | Path = TABLE) -> pd.DataFrame:
    """The table; without rows where there is none yet."""
    return pd.read_csv(path) if Path(path).exists() else pd.DataFrame(columns=COLUMNS)


def of(recipe: str | None, path: str | Path = TABLE) -> pd.DataFrame:
    """The rows of a recipe, as the table of recipes names it."""
    table = load(path)
    return table[table["recipe"] == recipe].drop(columns="recipe")
