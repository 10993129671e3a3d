"""The winner on the test images, each of its networks once, when its training has ended.

What is kept is the probability of each class for each image, in `tables/how_far_test.npz`: all that chapter 8 needs.
"""

from __future__ import annotations

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
MIRRORED = True  # networks answer by the mean over an image and its mirror image, which they have been trained with
LEVELS = 2**16 - 1  # a probability is kept as a whole number of so many parts: two bytes


def load(path: str | Path = FILE) -> tuple[str, dict[int, ndarray]]:
    """The recipe, as the table of recipes names it, and by seed the probabilities (images, classes); empty without a
    file."""
    if not Path(path).exists():
        return "", {}
    with np.load(path, allow_pickle=False) as file:
        kept = dict(file)
    recipe = str(kept.pop("recipe"))
    return recipe, {int(seed): parts / np.float32(LEVELS) for seed, parts in kept.items()}


def read(recipe: Config, seed: int, weights: Path, path: Path) -> None:
    """Let a trained network of a recipe, which names no seed, see the test images, and keep what it says.

    Raises ValueError if they have been shown to another recipe.
    """
    known, kept = load(path)
    if known not in ("", records.key(recipe)):
        raise ValueError(
            f"{path}: another recipe has seen the test images, which are for one alone; remove the file if its results "
            "are to be given up"
        )
    kept[seed] = NeuralNetwork.load(weights).predict_proba(fashion_mnist.load().test.images, mirrored=MIRRORED)
    arrays = {str(one): np.rint(kept[one] * LEVELS).astype(np.uint16) for one in sorted(kept)}
    with whole_file(path) as file:
        np.savez_compressed(file, recipe=records.key(recipe), **arrays)
