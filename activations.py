"""Activation functions: what a hidden layer does to its pre-activation, each beside its gradient.

In the notation of the course, a is the pre-activation of a layer and h = g(a) its activation, element by element.
Back-propagation needs g'(a), and often h, which the forward pass has already computed, is the cheapest way to it
(tanh' = 1 - h²). So a gradient is given both, and takes whichever it likes.

To add one, write the two functions and one line in ACTIVATIONS; sweeps, errors, galleries and tests find it there.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy import ndarray

LEAK = 0.01  # slope of leaky_relu left of zero (Maas, Hannun and Ng, 2013, section 2)
GELU_SCALE = (2 / np.pi) ** 0.5
GELU_CUBIC = 0.044715


class Activation(NamedTuple):
    """A function and its gradient, in one entry so that neither is ever without the other.

    Both take and return arrays of one shape and floating type.
    """

    function: Callable[[ndarray], ndarray]  # a -> h
    gradient: Callable[[ndarray, ndarray], ndarray]  # a, h -> dh/da


def identity(a: ndarray) -> ndarray:
    """h = a."""
    return a


def identity_gradient(a: ndarray, h: ndarray) -> ndarray:
    return np.ones_like(a)


def sigmoid(a: ndarray) -> ndarray:
    """h = 1 / (1 + exp(-a)). Where exp overflows, to infinity, h is 0, as it should be."""
    with np.errstate(over="ignore"):
        h = np.exp(-a)
    h += 1
    return np.divide(1, h, h)


def sigmoid_gradient(a: ndarray, h: ndarray) -> ndarray:
    return h * (1 - h)


def tanh(a: ndarray) -> ndarray:
    """h = tanh(a)."""
    return np.tanh(a)


def tanh_gradient(a: ndarray, h: ndarray) -> ndarray:
    return 1 - h * h


def relu(a: ndarray) -> ndarray:
    """h = max(a, 0). Its gradient at 0 is taken to be 0."""
    return np.maximum(a, 0)


def relu_gradient(a: ndarray, h: ndarray) -> ndarray:
    return np.sign(h)


def leaky_relu(a: ndarray) -> ndarray:
    """h = a where a > 0, else LEAK a. Its gradient at 0 is taken to be LEAK."""
    return np.maximum(a, LEAK * a)


def leaky_relu_gradient(a: ndarray, h: ndarray) -> ndarray:
    return np.maximum(np.sign(h), LEAK)


def elu(a: ndarray) -> ndarray:
    """h = a where a > 0, else exp(a) - 1 (Clevert, Unterthiner and Hochreiter, 2016, eq. 15, with alpha = 1)."""
    return np.where(a > 0, a, np.expm1(np.minimum(a, 0)))


def elu_gradient(a: ndarray, h: ndarray) -> ndarray:
    return 1 + np.minimum(h, 0)


def gelu(a: ndarray) -> ndarray:
    """h = a Φ(a), with the normal distribution Φ by its tanh approximation (Hendrycks and Gimpel, 2016, section 2)."""
    return 0.5 * a * (1 + np.tanh(GELU_SCALE * a * (1 + GELU_CUBIC * a * a)))


def gelu_gradient(a: ndarray, h: ndarray) -> ndarray:
    t = np.tanh(GELU_SCALE * a * (1 + GELU_CUBIC * a * a))
    return 0.5 * (1 + t) + 0.5 * GELU_SCALE * a * (1 - t * t) * (1 + 3 * GELU_CUBIC * a * a)


def silu(a: ndarray) -> ndarray:
    """h = a sigmoid(a) (Hendrycks and Gimpel, 2016; Elfwing, Uchibe and Doya, 2018)."""
    return a * sigmoid(a)


def silu_gradient(a: ndarray, h: ndarray) -> ndarray:
    s = sigmoid(a)
    return s + h * (1 - s)


ACTIVATIONS = {
    "identity": Activation(identity, identity_gradient),
    "sigmoid": Activation(sigmoid, sigmoid_gradient),
    "tanh": Activation(tanh, tanh_gradient),
    "relu": Activation(relu, relu_gradient),
    "leaky_relu": Activation(leaky_relu, leaky_relu_gradient),
    "elu": Activation(elu, elu_gradient),
    "gelu": Activation(gelu, gelu_gradient),
    "silu": Activation(silu, silu_gradient),
}
