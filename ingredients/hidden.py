"""What a hidden layer does between its product and the next one's: normalize, activate, drop neurons out.

It stands where `nn_core.py` has a backend, which by itself only activates, and has the same two passes.
"""

from typing import Any

import numpy as np
from numpy import ndarray

from ingredients import dropout
from ingredients.normalization import Normalization


class Hidden:
    """Of one layer: a backend's passes, normalization before them and dropout after; either may be missing."""

    def __init__(
        self,
        backend: Any,
        normalization: Normalization | None = None,
        rate: float = 0.0,
        rng: np.random.Generator | None = None,
    ):
        self.backend, self.normalization, self.rate, self.rng = backend, normalization, rate, rng

    def activate(self, a: ndarray, b: ndarray) -> ndarray:
        """h (B, n) for the next layer, from a = W h (B, n), which is changed, and b (n,)."""
        if self.normalization:
            self._normalize(a)
        h = self._h = self.backend.activate(a, b)
        return self._drop(h) if self.rate else h

    def differentiate(self, delta: ndarray, a: ndarray, h: ndarray, db: ndarray) -> None:
        """δ (B, n), the loss's gradient by what `activate` returned, becomes that by W h; db (n,) is filled."""
        if self.rate:
            self._drop_back(delta)
        self.backend.differentiate(delta, a, self._h, db)
        if self.normalization:
            self._normalize_back(delta, db)

    def _normalize(self, a):
        self.normalization.forward(a)

    def _normalize_back(self, delta, db):
        self.normalization.backward(delta)

    def _drop(self, h):
        self._mask = dropout.mask(self.rng, h.shape, self.rate, h.dtype)
        return h * self._mask

    def _drop_back(self, delta):
        delta *= self._mask
