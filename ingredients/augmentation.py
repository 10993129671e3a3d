"""Augmentation: images are changed at random each time that they are trained on, in ways that leave what they show.

Each changes a batch of square images (B, s, s) in place. To add one, write such a function and one line in
AUGMENTATIONS.
"""

import itertools
import math
from collections.abc import Callable

import numpy as np
from numpy import ndarray

SHIFT = 1  # pixels at most, each way
ERASED, AREA, RATIO = 0.5, (0.02, 0.33), (0.3, 3.3)  # of erase: how often, what share of the image, height over width


def side(inputs: int, asked: str) -> int:
    """The side of a square image of so many pixels. Raises ValueError, naming what was asked, if there is none."""
    if math.isqrt(inputs) ** 2 != inputs:
        raise ValueError(f"{asked}: expected square images, and inputs={inputs} pixels are no square.")
    return math.isqrt(inputs)


def mirror_images(images: ndarray) -> ndarray:
    """The mirror images of all images (n, s²)."""
    squares = images.reshape(len(images), -1, side(images.shape[1], "mirrored=True"))
    return np.ascontiguousarray(squares[:, :, ::-1]).reshape(images.shape)


def mirror(images: ndarray, rng: np.random.Generator) -> None:
    """Every second image, on average, left to right."""
    chosen = rng.random(len(images)) < 0.5
    images[chosen] = images[chosen, :, ::-1]


def shift(images: ndarray, rng: np.random.Generator) -> None:
    """By up to SHIFT pixels, down or up and right or left, each shift as likely; what moves in is 0."""
    size, shifts = images.shape[1], rng.integers(0, 2 * SHIFT + 1, (len(images), 2))
    padded = np.pad(images, ((0, 0), (SHIFT, SHIFT), (SHIFT, SHIFT)))
    for y, x in itertools.product(range(2 * SHIFT + 1), repeat=2):
        chosen = (shifts == (y, x)).all(axis=1)
        images[chosen] = padded[chosen, y : y + size, x : x + size]


def erase(images: ndarray, rng: np.random.Generator) -> None:
    """In every second image, on average, a rectangle becomes 0, wherever it fits.

    Its sides are drawn as by Zhong et al. (2020, algorithm 1), within the bounds that torchvision made common; it is
    empty as that of DeVries and Taylor (2017).
    """
    n, size = images.shape[:2]
    chosen = rng.random(n) < ERASED
    area, ratio = size**2 * rng.uniform(*AREA, n), rng.uniform(*RATIO, n)
    sides = np.stack([np.sqrt(area * ratio), np.sqrt(area / ratio)])  # (2, n): heights, widths
    sides = np.clip(np.rint(sides), 1, size)
    starts = np.floor(rng.random((2, n)) * (size - sides + 1))
    pixels = np.arange(size)
    rows, columns = (pixels >= starts[..., np.newaxis]) & (pixels < (starts + sides)[..., np.newaxis])  # (n, s) each
    images[chosen[:, np.newaxis, np.newaxis] & rows[:, :, np.newaxis] & columns[:, np.newaxis]] = 0


AUGMENTATIONS: dict[str, Callable[[ndarray, np.random.Generator], None] | None] = {
    "none": None,
    "mirror": mirror,
    "shift": shift,
    "erase": erase,
}
