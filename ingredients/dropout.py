"""Dropout (Srivastava et al., 2014): in training, each neuron is left out of a batch's example at random.

In the inverted form: what is left is scaled up, so that nothing needs to be scaled in use.
"""

import math

import numpy as np
from numpy import ndarray

LEVELS = 2**16  # two random bytes decide about a neuron: its probability is rounded to one in so many
RATE = (lambda rate: 0 <= rate < 1 and threshold(rate) < LEVELS, f"a number from 0 to {1 - 1 / LEVELS:.5f}")


def mask(rng: np.random.Generator, shape: tuple[int, ...], rate: float, dtype: np.dtype) -> ndarray:
    """0 with probability `rate`, otherwise 1 / (1 - rate), for each entry of such an array."""
    return (bits(rng, shape) >= threshold(rate)) * scale(rate, dtype)


def bits(rng: np.random.Generator, shape: tuple[int, ...]) -> ndarray:
    """Two random bytes for each entry, as uint16: four of them from one random number."""
    n = math.prod(shape)
    numbers = rng.integers(2**64, size=-(-n // 4), dtype=np.uint64)
    return numbers.view(np.uint16)[:n].reshape(shape)


def threshold(rate: float) -> int:
    """What bits must reach for their neuron to stay."""
    return round(rate * LEVELS)


def scale(rate: float, dtype: np.dtype) -> np.floating:
    return dtype.type(LEVELS / (LEVELS - threshold(rate)))
