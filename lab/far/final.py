"""Networks that have been trained on everything, and the test images: each sees them once, when its training has ended.

What is kept is the probability of each class for each image, in `tables/how_far_test.npz`: of the *winner*, and beside
it of the *start* of the ladder, with as many seeds.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy import ndarray

import fashion_mnist
from common.files import whole_file
from lab.execution.notebook import Config
from lab.far import records
from lab.tracking import REPOSITORY
from nn_core import NeuralNetwork

FILE = REPOSITORY / "tables" / "how_far_test.npz"
START, WINNER = "start", "winner"
LEVELS = 2**16 - 1  # a probability is kept as a whole number of so many parts: two bytes

Kept = dict[str, dict[int, ndarray]]  # of who, by seed: probabilities (images, classes)


def load(path: str | Path = FILE) -> tuple[dict[str, str], Kept]:
    """Of who has seen the test images: the recipe, as the table of recipes names it, and what was said of them."""
    if not Path(path).exists():
        return {}, {}
    with np.load(path, allow_pickle=False) as file:
        arrays = dict(file)
    recipes, kept = json.loads(arrays.pop("recipes").item()), Kept()
    for name, parts in arrays.items():
        who, seed = name.split()
        kept.setdefault(who, {})[int(seed)] = parts / np.float32(LEVELS)
    return recipes, kept


def write(path: str | Path, recipes: Mapping[str, str], kept: Kept) -> None:
    """Keep all this, whole or not at all."""
    parts = {f"{who} {seed}": np.rint(p * LEVELS).astype(np.uint16) for who in kept for seed, p in kept[who].items()}
    with whole_file(path) as file:
        np.savez_compressed(file, recipes=json.dumps(recipes), **dict(sorted(parts.items())))


def refuse_another(who: str, recipe: Config, path: str | Path) -> None:
    """Raise ValueError if the test images have been shown to another recipe of this name."""
    recipes, _ = load(path)
    if recipes.get(who, records.key(recipe)) != records.key(recipe):
        raise ValueError(
            f"{path}: another recipe has seen the test images as {who}, and they are for one alone; remove the file if "
            "its results are to be given up"
        )


def read(who: str, recipe: Config, seed: int, weights: Path, path: str | Path) -> None:
    """Let a trained network of a recipe, which names no seed, see the test images, and keep what it says.

    Raises ValueError if they have been shown to another recipe of this name.
    """
    refuse_another(who, recipe, path)
    recipes, kept = load(path)
    kept.setdefault(who, {})[seed] = probabilities(NeuralNetwork.load(weights).predict_proba, recipe)
    write(path, recipes | {who: records.key(recipe)}, kept)


def probabilities(predict: Callable[..., ndarray], recipe: Config) -> ndarray:
    """What a network of a recipe says of the test images, (images, classes): of each and its mirror image the mean, if
    it has been trained with those."""
    return predict(images_and_labels().images, mirrored="mirror" in recipe.get("augmentation", ()))


def images_and_labels() -> fashion_mnist.Split:
    """The test images, for those who show what is kept of them."""
    return fashion_mnist.load().test
