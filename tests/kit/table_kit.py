"""What tests of the table of every configuration share: records as runs leave them."""

import numpy as np
import pandas as pd

from lab.tabular import table as tabular


def record(config, history, status="finished"):
    """As a run leaves it."""
    name = "_".join(map(str, config.values()))
    return {"name": name, "config": config | {"max_epochs": 10}, "history": history, "status": status, "commit": "abc"}


def epochs(count, accuracy=0.5):
    one = {"loss": 1.23456789, "accuracy": 27001 / 54000, "validationloss": 2.5, "seconds": 1.234}
    return [one | {"epoch": k, "validationaccuracy": accuracy} for k in range(1, count + 1)]


def whole_table(seeds, rng):
    """A complete table: what a training is worth is a sum over its parameters, and nothing at weight decay 0.5."""
    configs = pd.DataFrame(tabular.trainings())
    worth = 0.85 + 0.002 * rng.normal(size=len(configs))
    for name, values in tabular.choices().items():
        worth += configs[name].map(dict(zip(values, 0.02 * rng.normal(size=len(values)), strict=True))).to_numpy()
    worth = np.where(configs["weight_decay"] == 0.5, 0.1, worth)
    tables = []
    for seed in seeds:
        rising = worth[:, None] * (1 - 0.2 * np.exp(-np.arange(1, 11) / 2)) + 0.003 * rng.normal(size=(len(configs), 1))
        table = configs.loc[configs.index.repeat(10)].assign(seed=seed, epoch=np.tile(np.arange(1, 11), len(configs)))
        table = table.assign(loss=0.5, accuracy=0.9, validationloss=0.5, validationaccuracy=rising.ravel(), seconds=0.3)
        tables.append(table.assign(status="finished", commit="abc", machine="made up"))
    return pd.concat(tables, ignore_index=True)
