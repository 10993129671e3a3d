"""Optimizers: one update rule each, from the simplest to the most elaborate.

An optimizer is a dataclass of hyper-parameters with one method, `step(theta, gradient, loss)`, which changes theta in
place. Parameters, gradient and moments are flat vectors of one shape (n,): no rule here knows of layers.

Notation: θ parameters, g gradient, η learning rate, t the number of this step, counted from 1.

To add one, write such a class and one line in OPTIMIZERS. Vectors that it remembers from step to step are named in
`vectors`; whoever trains calls `prepare` once, and they are there, filled with zeros.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from numpy import ndarray

from common.words import shown

MOST = 1e308  # a whole number may be larger than any that computes

Bounds = tuple[Callable[[float], bool], str]  # whether a value keeps them, and what they are in words

FRACTION: Bounds = (lambda x: 0 <= x < 1, "a number from 0 to below 1")
POSITIVE: Bounds = (lambda x: 0 < x <= MOST, f"a positive number of at most {MOST:g}")
NOT_NEGATIVE: Bounds = (lambda x: 0 <= x <= MOST, f"a number from 0 on, at most {MOST:g}")
BOUNDS = {
    "learning_rate": POSITIVE,
    "momentum": FRACTION,
    "beta": FRACTION,
    "beta1": FRACTION,
    "beta2": FRACTION,
    "epsilon": POSITIVE,
    "weight_decay": NOT_NEGATIVE,
}


def check_setting(name: str, value: float, whose: str, bounds: Mapping[str, Bounds] = BOUNDS) -> None:
    """Raise ValueError, in a sentence, if the hyper-parameter of this name has bounds that the value does not keep."""
    if name not in bounds:
        return
    holds, expected = bounds[name]
    if isinstance(value, bool) or not isinstance(value, Real) or not holds(value):
        raise ValueError(f"{name}={shown(value)}: {whose} expects {expected}.")


@dataclass
class Optimizer:
    """What every optimizer has: a learning rate, and room for what it remembers."""

    vectors: ClassVar[tuple[str, ...]] = ()  # names of the attributes, each shaped like theta, that it remembers
    passing: ClassVar[tuple[str, ...]] = ("scratch", "decayed")  # what `prepare` sets and no step leaves anything in

    learning_rate: float = 1e-3
    t: int = field(default=0, init=False, repr=False)  # the number of this step, kept by the rules that need it

    def __post_init__(self):
        for name, value in self.settings().items():
            check_setting(name, value, type(self).__name__)

    @classmethod
    def setting_names(cls) -> list[str]:
        """The hyper-parameters this optimizer has, `learning_rate` first."""
        return [f.name for f in fields(cls) if f.init]

    def settings(self) -> dict[str, float]:
        """The hyper-parameters and their values."""
        return {name: getattr(self, name) for name in self.setting_names()}

    def prepare(self, theta: ndarray, weights: slice = slice(None), new: Callable = np.zeros_like) -> None:
        """Make room for theta's shape, before the first step.

        `weights` are the entries of theta that weight decay may touch; `new(theta)` makes one vector of zeros.
        """
        self.decayed = weights
        self.scratch = new(theta)  # a step may overwrite it, and need not allocate
        for name in self.vectors:
            setattr(self, name, new(theta))

    def step(self, theta: ndarray, gradient: ndarray, loss: float) -> None:
        """Change theta in place, once. `gradient` is left as it is; `loss` is the one it belongs to."""
        raise NotImplementedError

    def state(self) -> dict[str, Any]:
        """Settings, t, vectors and whatever else it has set: all that its next step depends on."""
        return {name: value for name, value in vars(self).items() if name not in self.passing}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from such a state. Raises ValueError if vectors are missing there, or of another length."""
        if missing := set(self.vectors) - {*self.passing, *state}:
            raise ValueError(f"nothing of what {type(self).__name__} remembers in {min(missing)}")
        for name, value in state.items():
            if name not in self.vectors:
                setattr(self, name, value.copy() if isinstance(value, ndarray) else value)
            elif value.shape == getattr(self, name).shape:
                getattr(self, name)[...] = value
            else:
                raise ValueError(f"{value.shape} numbers for a vector of {getattr(self, name).shape}")


@dataclass
class SGD(Optimizer):
    """Stochastic gradient descent: θ ← θ - η g (Robbins and Monro, 1951)."""

    def step(self, theta, gradient, loss):
        theta -= np.multiply(gradient, self.learning_rate, self.scratch)


@dataclass
class Momentum(Optimizer):
    """Gradient descent with momentum (Polyak, 1964): u ← μ u + g, θ ← θ - η u.

    As in the course and in PyTorch, η multiplies u; Sutskever et al. (2013, eq. 1) have it before g.
    """

    vectors = ("u",)

    momentum: float = 0.9

    def step(self, theta, gradient, loss):
        self.u *= self.momentum
        self.u += gradient
        theta -= np.multiply(self.u, self.learning_rate, self.scratch)


@dataclass
class Nesterov(Momentum):
    """Nesterov's accelerated gradient: u ← μ u + g, θ ← θ - η (g + μ u).

    The form of Bengio, Boulanger-Lewandowski and Pascanu (2013, eq. 7): θ here is the point that Nesterov (1983) looks
    ahead to, so that the gradient is taken where the network already is and no second evaluation is needed.
    """

    def step(self, theta, gradient, loss):
        self.u *= self.momentum
        self.u += gradient
        ahead = np.multiply(self.u, self.momentum, self.scratch)
        ahead += gradient
        ahead *= self.learning_rate
        theta -= ahead


@dataclass
class RMSProp(Optimizer):
    """RMSProp (Hinton, 2012, lecture 6e): v ← β v + (1 - β) g², θ ← θ - η g / (√v + ε).

    ε stands outside the root, as in PyTorch.
    """

    vectors = ("v",)

    beta: float = 0.9
    epsilon: float = 1e-8

    def step(self, theta, gradient, loss):
        s = np.multiply(gradient, gradient, self.scratch)
        s *= 1 - self.beta
        self.v *= self.beta
        self.v += s
        np.sqrt(self.v, s)
        s += self.epsilon
        np.divide(gradient, s, s)
        s *= self.learning_rate
        theta -= s


@dataclass
class Adam(Optimizer):
    """Adam (Kingma and Ba, 2015, algorithm 1): m ← β₁ m + (1 - β₁) g, v ← β₂ v + (1 - β₂) g²,
    θ ← θ - η m̂ / (√v̂ + ε), with m̂ = m / (1 - β₁ᵗ) and v̂ = v / (1 - β₂ᵗ).
    """

    vectors = ("m", "v")

    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8

    def step(self, theta, gradient, loss):
        self.t += 1
        self.m[...] = self.beta1 * self.m + (1 - self.beta1) * gradient
        self.v[...] = self.beta2 * self.v + (1 - self.beta2) * gradient**2
        v_hat = self.v / (1 - self.beta2**self.t)
        theta -= self.learning_rate * self.m_hat(gradient) / (np.sqrt(v_hat) + self.epsilon)

    def m_hat(self, gradient: ndarray) -> ndarray:
        """m, its bias corrected."""
        return self.m / (1 - self.beta1**self.t)


@dataclass
class NAdam(Adam):
    """Adam with Nesterov's momentum (Dozat, 2016, algorithm 2): m̂ = β₁ m / (1 - β₁ᵗ⁺¹) + (1 - β₁) g / (1 - β₁ᵗ).

    The rest is as in Adam, v̂ included. Dozat's μ may change with t; here it is β₁ throughout.
    """

    def m_hat(self, gradient):
        ahead = self.beta1 * self.m / (1 - self.beta1 ** (self.t + 1))
        return ahead + (1 - self.beta1) * gradient / (1 - self.beta1**self.t)


@dataclass
class AdamW(Adam):
    """Adam with decoupled weight decay λ (Loshchilov and Hutter, 2019, algorithm 2): θ ← θ - η λ θ, then Adam's step.

    A network whose optimizer has a `weight_decay` of its own adds no L2 term to its loss. As in PyTorch, η multiplies
    the decay; in the paper only the schedule does. Biases do not decay.
    """

    weight_decay: float = 0.0

    def step(self, theta, gradient, loss):
        # Not θ *= 1 - ηλ: in float32 that factor is rounded, and the rounding adds up over thousands of steps.
        weights = theta[self.decayed]
        weights -= np.multiply(weights, self.learning_rate * self.weight_decay, self.scratch[self.decayed])
        super().step(theta, gradient, loss)


OPTIMIZERS: dict[str, type[Optimizer]] = {
    "sgd": SGD,
    "mgd": Momentum,
    "momentum": Momentum,
    "nag": Nesterov,
    "nesterov": Nesterov,
    "rmsprop": RMSProp,
    "adam": Adam,
    "nadam": NAdam,
    "adamw": AdamW,
}
