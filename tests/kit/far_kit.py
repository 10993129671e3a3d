"""What tests of chapter 8 share: tables of recipes, and answers to test images, that are made up."""

import json

import numpy as np
import pandas as pd

from lab.far import climbing, final, records
from lab.tabular import growing
from table_kit import epochs, record


def ended(accuracies):
    """A table of recipes in which each of some configurations ends with such an accuracy; with None, it diverged."""
    accuracies = list(accuracies)
    runs = [
        record(config, epochs(2, accuracy or 0.99), "diverged" if accuracy is None else "finished")
        for config, accuracy in accuracies
    ]
    return growing.rows([{"config": records.key(config)} for config, _ in accuracies], runs)


def whole_table(rng):
    """A table that lacks nothing: what a recipe is worth depends on its words, and a little on the seed."""
    worth = {}

    def accuracy(config):
        words = records.key({name: value for name, value in config.items() if name != "seed"})
        return worth.setdefault(words, 0.9 + 0.01 * rng.normal()) + 0.001 * rng.normal() + 0.002 * config["seed"]

    table = records.load("there is no such table")
    while asked := [config for _, config in climbing.lacking(table)]:  # twice: the winner is known only then
        table = pd.concat(
            [table, ended((config, accuracy(config)) for config in asked)]
            if len(table)
            else [ended((config, accuracy(config)) for config in asked)]
        )
    return table.sort_values(["config", "epoch"], kind="stable")


def answers(labels, right, rng, seeds=(1, 2, 3, 4, 5)):
    """Probabilities of as many networks, each of which gets about such a share of the labels right, by seed: some
    images are hard for all of them."""
    hardness, guesses, found = rng.random(len(labels)), rng.integers(0, 10, len(labels)), {}
    for seed in seeds:
        easy = hardness + 0.05 * rng.normal(size=len(labels)) < right
        said = np.where(easy, labels, guesses)
        share = rng.uniform(0.1, 0.9, (len(labels), 1))
        found[seed] = share * np.eye(10)[said] + (1 - share) * rng.dirichlet(np.ones(10), len(labels))
    return found


def write_answers(path, recipes, kept):
    """As `final.read` leaves them."""
    parts = {
        f"{who} {seed}": np.rint(p * final.LEVELS).astype(np.uint16) for who in kept for seed, p in kept[who].items()
    }
    np.savez_compressed(path, recipes=json.dumps(recipes), **parts)
