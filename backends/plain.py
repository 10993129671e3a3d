"""What a step does besides multiplying matrices: losses with their gradients, and passes over layers and parameters.

All in plain NumPy. `kernels.py` has most of it compiled, behind the same class.
"""

import functools
from collections.abc import Callable

import numpy as np
from numpy import ndarray

from activations import Activation
from optimizers import Optimizer


@functools.lru_cache(maxsize=16)
def ones(n: int, dtype: np.dtype) -> ndarray:
    """n ones: a product with them is the fastest sum over rows or columns."""
    return np.ones(n, dtype)


# ---- losses: a_L (B, classes), y one-hot (B, classes) -> the batch's mean loss, and its gradient by a_L


def softmax(a: ndarray) -> ndarray:
    """exp(a) over its sum along each row. The row's maximum is taken off first, so that nothing overflows."""
    e = np.exp(a - a.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def cross_entropy(a: ndarray, y: ndarray) -> tuple[float, ndarray]:
    """-(1/B) Σ y · log ŷ. From a and not from ŷ, so that no logarithm of zero is ever taken."""
    a = a - np.maximum.reduce(a, axis=1, keepdims=True)
    e = np.exp(a)
    total = e.dot(ones(e.shape[1], e.dtype))
    loss = (np.add.reduce(np.log(total)) - np.vdot(a, y)) / len(a)
    e /= total[:, np.newaxis]
    e -= y
    e /= len(a)
    return float(loss), e


def squared_error(a: ndarray, y: ndarray) -> tuple[float, ndarray]:
    """(1/B) Σ ‖ŷ - y‖², through the Jacobian of softmax, diag(ŷ) - ŷ ŷᵀ."""
    p = softmax(a)
    error = p - y
    inner = (error * p).sum(axis=1, keepdims=True)
    return float(np.vdot(error, error)) / len(a), 2 / len(a) * p * (error - inner)


LOSSES = {"cross_entropy": cross_entropy, "squared_error": squared_error}


class Elementwise:
    """The passes of a step, for one activation, loss and optimizer."""

    def __init__(self, activation: Activation, loss: Callable, optimizer: Optimizer):
        self.activation, self.loss, self.optimizer = activation, loss, optimizer

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
