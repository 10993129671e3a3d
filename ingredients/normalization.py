"""Normalization of pre-activations, its gradient by hand: a = γ ∘ ẑ + b, where ẑ is z = W h with mean 0 and variance 1.

Batch normalization takes them of each neuron, over the examples of a batch; layer normalization of each example, over
the neurons of the layer. The layer's bias b is what the papers call β.
"""

from typing import ClassVar

import numpy as np
from numpy import ndarray

EPSILON = 1e-5  # is added to every variance
MOMENTUM = 0.1  # the share of a batch in the running statistics


class Normalization:
    """Of one layer: its γ (n,), the place of the gradient by it, and running statistics (2, n): means, variances."""

    axis: ClassVar[int]  # of z (B, n), over which mean and variance are taken

    def __init__(
        self,
        gain: ndarray,
        dgain: ndarray | None = None,
        running: ndarray | None = None,
        momentum: float = MOMENTUM,
    ):
        self.gain, self.dgain, self.running, self.momentum = gain, dgain, running, momentum

    def forward(self, z: ndarray) -> None:
        """z ← γ ∘ ẑ, in place; what the way back needs is kept."""
        mean = z.mean(axis=self.axis, keepdims=True)
        z -= mean
        variance = np.square(z).mean(axis=self.axis, keepdims=True)
        self.run(mean[0], variance[0], len(z))
        self._inverse = 1 / np.sqrt(variance + z.dtype.type(EPSILON))
        self._z_hat = z * self._inverse
        np.multiply(self._z_hat, self.gain, z)

    def backward(self, delta: ndarray) -> None:
        """δ (B, n), the loss's gradient by a, becomes that by z, in place. That by γ goes to its place.

        With d = γ ∘ δ, and means over `axis`, through mean and variance: (d - mean d - ẑ mean(d ∘ ẑ)) / √(σ² + ε)
        (Ioffe and Szegedy, 2015, section 3, in one line).
        """
        np.einsum("bn,bn->n", delta, self._z_hat, out=self.dgain)
        delta *= self.gain
        slope = (delta * self._z_hat).mean(axis=self.axis, keepdims=True)
        delta -= delta.mean(axis=self.axis, keepdims=True)
        delta -= self._z_hat * slope
        delta *= self._inverse

    def run(self, mean: ndarray, variance: ndarray, count: int) -> None:
        """Keep what inference will need of a batch of so many."""

    def in_use(self, W: ndarray, b: ndarray) -> tuple[ndarray, ndarray, "Normalization | None"]:
        """W (n, n_in) and b (n,) for inference, and what is left to be done after their product."""
        return W, b, type(self)(self.gain)


class Batch(Normalization):
    """Batch normalization (Ioffe and Szegedy, 2015). In inference, running statistics stand in for the batch's."""

    axis = 0

    def run(self, mean, variance, count):
        if count > 1:  # one example has no variance; as in PyTorch, that which runs is the unbiased one
            self.running[0] += self.momentum * (mean - self.running[0])
            self.running[1] += self.momentum * (variance * (count / (count - 1)) - self.running[1])

    def in_use(self, W, b):
        mean, variance = self.running
        scale = self.gain / np.sqrt(variance + variance.dtype.type(EPSILON))
        return (W.T * scale).T, b - mean * scale, None


class Layer(Normalization):
    """Layer normalization (Ba, Kiros and Hinton, 2016): the same in training and inference."""

    axis = 1


NORMALIZATIONS: dict[str, type[Normalization] | None] = {"none": None, "batch": Batch, "layer": Layer}
