"""The table as a function, as benchmarks of searches have it: a configuration in, what came of it out, nothing trained.

    from lab.tabular.objective import objective

    objective({"optimizer": "adam", "layers": 2, ...}, epochs=5, seed=0)["validationaccuracy"]

After Klein and Hutter (2019, arXiv:1905.04970) and Eggensperger and others (2021, arXiv:2109.06716), whose words these
are: a configuration, a fidelity (here epochs), an objective, and its cost.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from common.names import first_unknown
from lab.tabular import table as tabular
from lab.tabular.growing import FIGURES

SECONDS = FIGURES.index("seconds")


class Benchmark:
    """A table, to be asked for one training at a time. `table` is what `load` returns."""

    def __init__(self, table: pd.DataFrame) -> None:
        self._choices = tabular.choices()
        self._rows = {key: np.array(rows) for key, rows in table.groupby([*self._choices, "seed"]).indices.items()}
        self._figures = table[list(FIGURES)].to_numpy(dtype=float)

    def __call__(self, configuration: Mapping[str, Any], epochs: int | None = None, seed: int = 0) -> dict[str, Any]:
        """What a training has come to after so many `epochs`; by default its max_epochs, or all that there are.

        Names count without regard to case. Returns loss, accuracy, validationloss and validationaccuracy (a fraction)
        of the last epoch, the seconds of all epochs until then, how many `epochs` these are, and the status: finished,
        or diverged, without figures then.

        Raises:
            ValueError: for a parameter or value that the space does not have, naming the choices.
            LookupError: for a training that the table lacks.
        """
        key = self._key(configuration)
        epochs = epochs if epochs is not None else configuration.get("max_epochs", tabular.EPOCHS)
        if not (isinstance(epochs, int | np.integer) and 1 <= epochs <= tabular.EPOCHS):
            raise ValueError(f"epochs={epochs!r}: expected a whole number from 1 to {tabular.EPOCHS}.")
        if (*key, seed) not in self._rows:
            raise LookupError(f"the table lacks the training of {_words(configuration)} with seed {seed}")
        rows = self._figures[self._rows[*key, seed][:epochs]]
        figures = dict(zip(FIGURES, rows[-1].tolist(), strict=True)) | {"seconds": float(np.nansum(rows[:, SECONDS]))}
        status = "finished" if len(rows) == epochs and not np.isnan(rows[-1]).any() else "diverged"
        return figures | {"epochs": len(rows), "status": status}

    def _key(self, configuration: Mapping[str, Any]) -> tuple[Any, ...]:
        """The values of a configuration as the table spells them, in its order."""
        if sentence := first_unknown(configuration, [*self._choices, "max_epochs"], "a parameter of the table"):
            raise ValueError(sentence)
        if missing := [name for name in self._choices if name not in configuration]:
            raise ValueError(f"the configuration lacks {missing[0]}: choose from {_list(self._choices[missing[0]])}")
        return tuple(_spelt(name, configuration[name], choices) for name, choices in self._choices.items())


def _spelt(name: str, value: Any, choices: tuple[Any, ...]) -> Any:
    for choice in choices:
        if value == choice or (isinstance(value, str) and value.casefold() == str(choice).casefold()):
            return choice
    raise ValueError(f"{name}={value!r} is not in the table: choose from {_list(choices)}")


def _list(values: tuple[Any, ...]) -> str:
    return ", ".join(map(str, values))


def _words(configuration: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in configuration.items())


@functools.cache
def _benchmark(path: Path) -> Benchmark:
    return Benchmark(tabular.load(path))


def objective(configuration: Mapping[str, Any], epochs: int | None = None, seed: int = 0) -> dict[str, Any]:
    """`Benchmark`'s answer from the table of this repository, read once."""
    return _benchmark(tabular.TABLE)(configuration, epochs, seed)
