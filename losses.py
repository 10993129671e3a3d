"""Losses: how far a prediction is from the truth, each beside its gradient.

In the notation of the course, a_L (B, classes) is the pre-activation of the last layer, ŷ = softmax(a_L) are the
probabilities that it stands for, and y (B, classes) is the truth, one-hot. A loss is a mean over the batch.

To add one, write the two functions and one line in LOSSES; sweeps, errors, galleries and tests find it there.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy import ndarray


class Loss(NamedTuple):
    """A function and its gradient, in one entry so that neither is ever without the other.

    The function takes a_L and not ŷ, so that none takes the logarithm of a probability that was rounded to zero. It
    returns ŷ beside the loss, since the gradient needs it.
    """

    function: Callable[[ndarray, ndarray], tuple[float, ndarray]]  # a_L, y -> the loss, ŷ
    gradient: Callable[[ndarray, ndarray], ndarray]  # ŷ, y -> the loss's gradient by a_L


@functools.lru_cache(maxsize=16)
def ones(n: int, dtype: np.dtype) -> ndarray:
    """n ones, to be read alone: a product with them is the fastest sum over rows or columns."""
    vector = np.ones(n, dtype)
    vector.flags.writeable = False  # it is everybody's
    return vector


def softmax(a: ndarray) -> ndarray:
    """exp(a) over its sum along each row. The row's maximum is taken off first, so that nothing overflows."""
    e = np.exp(a - a.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def cross_entropy(a: ndarray, y: ndarray) -> tuple[float, ndarray]:
    """-(1/B) Σ y · log ŷ, and ŷ."""
    a = a - np.maximum.reduce(a, axis=1, keepdims=True)
    e = np.exp(a)
    total = e.dot(ones(e.shape[1], e.dtype))
    loss = (np.add.reduce(np.log(total)) - np.vdot(a, y)) / len(a)  # log ŷ = a - log total
    e /= total[:, np.newaxis]
    return float(loss), e


def cross_entropy_gradient(y_hat: ndarray, y: ndarray) -> ndarray:
    delta = y_hat - y
    delta /= len(y)
    return delta


def squared_error(a: ndarray, y: ndarray) -> tuple[float, ndarray]:
    """(1/B) Σ ‖ŷ - y‖², and ŷ."""
    y_hat = softmax(a)
    error = y_hat - y
    return float(np.vdot(error, error)) / len(a), y_hat


def squared_error_gradient(y_hat: ndarray, y: ndarray) -> ndarray:
    """Through the Jacobian of softmax, diag(ŷ) - ŷ ŷᵀ."""
    error = y_hat - y
    inner = (error * y_hat).sum(axis=1, keepdims=True)
    return 2 / len(y) * y_hat * (error - inner)


LOSSES = {
    "cross_entropy": Loss(cross_entropy, cross_entropy_gradient),
    "squared_error": Loss(squared_error, squared_error_gradient),
}
