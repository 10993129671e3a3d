"""What tests of chapter 8 share: tables of recipes, and answers to test images, that are made up."""

import itertools

import numpy as np

from lab.far import climbing, records
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


def whole_table(rng, finals=True):
    """A table that lacks nothing: what a recipe is worth depends on its words, and a little on the seed. Without
    `finals`, it ends before the winner is trained on everything."""
    worth = {}

    def accuracy(config):
        words = records.key({name: value for name, value in config.items() if name != "seed"})
        return worth.setdefault(words, 0.9 + 0.01 * rng.normal()) + 0.001 * rng.normal() + 0.002 * config["seed"]

    there = {}
    for _ in range(1 + finals):  # the winner is known only then
        table = ended(there.values()) if there else records.load("there is none")
        for config in itertools.chain(*climbing.plan(table).values()):
            there.setdefault(records.key(config), (config, accuracy(config)))
    return ended(there.values()).sort_values(["config", "epoch"], kind="stable")


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
