"""The plain backend: what a step does besides multiplying matrices, in NumPy.

It knows the notation of `nn_core.py`, which calls it. The compiled backend derives from it.
"""

from typing import ClassVar

import numpy as np
from numpy import ndarray

from activations import Activation
from backends.folded import FOLDED
from ingredients.hidden import Hidden
from losses import Loss, ones
from optimizers import Optimizer


class Plain:
    """The passes of a step over layers and parameters, for one activation, loss and optimizer."""

    name: ClassVar[str] = "numpy"
    hidden: ClassVar[type[Hidden]] = Hidden  # stands for the backend in layers that do more than activate
    whole: bool = False  # whether it has `steps`, which does whole steps: see `compiled.py`

    def __init__(self, activation: Activation, loss: Loss, optimizer: Optimizer):
        self.activation, self.optimizer = activation, optimizer
        self._loss = loss

    @staticmethod
    def form_of(kind: type[Optimizer]) -> type[Optimizer]:
        """The class by which this backend computes such an optimizer's steps: itself, if there is no faster one."""
        return FOLDED.get(kind, kind)

    def gather(self, images: ndarray, rows: ndarray, x: ndarray) -> ndarray:
        """Copy the given rows (B,) of images (n, n_0) into x (B, n_0), uint8 pixels scaled to [0, 1]; returns x."""
        x[...] = np.take(images, rows, axis=0, mode="clip")  # the rows are valid, and "clip" skips the check
        if images.dtype == np.uint8:
            x *= x.dtype.type(1 / 255)
        return x

    def activate(self, a: ndarray, b: ndarray) -> ndarray:
        """a ← a + b for a (B, n) and b (n,), in place; returns h = g(a)."""
        a += b
        return self.activation.function(a)

    def loss(self, a: ndarray, y: ndarray) -> tuple[float, ndarray]:
        """The loss of a_L (B, classes) for the one-hot truth y, and its gradient by a_L."""
        loss, y_hat = self._loss.function(a, y)
        return loss, self._loss.gradient(y_hat, y)

    def differentiate(self, delta: ndarray, a: ndarray, h: ndarray, db: ndarray) -> None:
        """δ ← δ ∘ g'(a) for δ (B, n), in place, and the sum of its rows into db (n,)."""
        delta *= self.activation.gradient(a, h)
        ones(len(delta), delta.dtype).dot(delta, db)

    def penalize(self, theta: ndarray, gradient: ndarray, weights: slice, l2: float) -> float:
        """The L2 term ½ λ Σ W² of the loss; adds its gradient λ W."""
        if not l2:
            return 0.0
        decay = np.multiply(theta[weights], l2, self.optimizer.scratch[weights])
        gradient[weights] += decay
        return 0.5 * float(np.dot(theta[weights], decay))

    def step(self, theta: ndarray, gradient: ndarray, loss: float, weights: slice, l2: float) -> float:
        """Add the L2 term, then change theta by the optimizer's rule. Returns the loss, L2 term included."""
        loss += self.penalize(theta, gradient, weights, l2)
        self.optimizer.step(theta, gradient, loss)
        return loss
