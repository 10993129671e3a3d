"""Adam and its kin as both backends compute them: the same steps as in `optimizers.py`, in fewer passes over vectors.

m = (1 - β₁) Σ β₁^(t-i) gᵢ and v = (1 - β₂) Σ β₂^(t-i) gᵢ². Here the sums are kept, without the factors before them, and
factors and bias corrections become two numbers, in the rate and in ε:

    η m̂ / (√v̂ + ε) = c G / (√S + e)  with  s = √((1 - β₂) / (1 - β₂ᵗ)),  c = η (1 - β₁) / (1 - β₁ᵗ) / s,  e = ε / s

where G is the sum of gradients, `g_sum`, and S that of their squares, `g2_sum`. `m` and `v` are what they are in the
paper, worked out when they are asked for.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy import ndarray

import optimizers
from optimizers import Optimizer

FORMERLY = {"m": "g_sum", "v": "g2_sum"}  # what files called the sums that were written before they had these names


@dataclass
class Adam(optimizers.Adam):
    """optimizers.Adam, folded."""

    vectors = ("g_sum", "g2_sum")

    m = property(lambda self: (1 - self.beta1) * self.g_sum)
    v = property(lambda self: (1 - self.beta2) * self.g2_sum)

    def step(self, theta, gradient, loss):
        self.t += 1
        c, e = self.factors()
        update = self.accumulate(gradient, e)
        np.divide(self.g_sum, update, update)
        update *= c
        theta -= update

    def factors(self) -> tuple[float, float]:
        """c and e of step t."""
        s = ((1 - self.beta2) / (1 - self.beta2**self.t)) ** 0.5
        return self.learning_rate * (1 - self.beta1) / (1 - self.beta1**self.t) / s, self.epsilon / s

    def accumulate(self, gradient: ndarray, e: float) -> ndarray:
        """Bring G and S up to date. Returns √S + e, in `scratch`."""
        s = np.multiply(gradient, gradient, self.scratch)
        self.g2_sum *= self.beta2
        self.g2_sum += s
        self.g_sum *= self.beta1
        self.g_sum += gradient
        np.sqrt(self.g2_sum, s)
        s += e
        return s

    def restore(self, state: dict[str, Any]) -> None:
        super().restore({FORMERLY.get(name, name): value for name, value in state.items()})


@dataclass
class NAdam(Adam, optimizers.NAdam):
    """optimizers.NAdam, folded: there m̂ is β₁ m / (1 - β₁ᵗ⁺¹) + (1 - β₁) g / (1 - β₁ᵗ), here c (b G + g)."""

    vectors = ("g_sum", "g2_sum", "lookahead")

    def step(self, theta, gradient, loss):
        self.t += 1
        c, e = self.factors()
        denominator = self.accumulate(gradient, e)
        update = np.multiply(self.g_sum, self.share_of_sum(), self.lookahead)
        update += gradient
        update *= c
        update /= denominator
        theta -= update

    def share_of_sum(self) -> float:
        """b = β₁ (1 - β₁ᵗ) / (1 - β₁ᵗ⁺¹)."""
        return self.beta1 * (1 - self.beta1**self.t) / (1 - self.beta1 ** (self.t + 1))


@dataclass
class AdamW(optimizers.AdamW, Adam):
    """optimizers.AdamW, folded: its decay, then the step above."""

    vectors = Adam.vectors


FOLDED: dict[type[Optimizer], type[Optimizer]] = {
    optimizers.Adam: Adam,
    optimizers.NAdam: NAdam,
    optimizers.AdamW: AdamW,
}
