"""The elementwise work of a step, compiled by numba: an optional extra, used where it is installed and never needed.

Each kernel does in one pass over memory what NumPy does in several. What it computes is written to be read in
`activations.py`, `losses.py`, `optimizers.py` and `plain.py`; here is what the usual configurations use, in float32.
Everything else, a new optimizer or activation for one, keeps its plain form.
"""

import math

import numpy as np
from numba import njit
from numba.extending import register_jitable

import activations
import optimizers
from backends import folded
from backends.plain import Plain
from losses import cross_entropy

F = np.float32
# Sums may be reordered and products fused with sums, as vector instructions want; NaN and infinity stay what they are.
OPTIONS = {"error_model": "numpy", "fastmath": {"reassoc", "contract", "nsz"}}

# Inlined, so that a kernel is one function. One that it called would be linked in one form where the kernel was just
# compiled, and in another, rounded differently, where it was read from disk.
inlined = register_jitable(**OPTIONS, forceinline=True)


def compiled(function):
    """The function, compiled when it is first called and kept on disk, if there is a folder for it."""
    try:
        return njit(function, cache=True, **OPTIONS)
    except RuntimeError:
        return njit(function, **OPTIONS)


# ---- activations: value(a) and slope(h), and the passes over a layer that are made of them


@inlined
def _power(x):
    """s and t such that e^x = s (1 + t): s = 2^k, k whole, and 1 + t = e^r by Taylor's polynomial, |r| ≤ ½ log 2."""
    x = F(-87) if x < F(-87) else x  # comparisons that let NaN pass
    x = F(88) if x > F(88) else x
    k = np.floor(x * F(1.4426950408889634) + F(0.5))
    r = x - k * F(0.693359375) + k * F(2.12194440e-4)  # log 2 in two parts: k times the first is exact
    t = F(1 / 720)
    for c in (F(1 / 120), F(1 / 24), F(1 / 6), F(1 / 2), F(1)):
        t = t * r + c
    return np.int32((np.int32(k) + np.int32(127)) << np.int32(23)).view(F), t * r


@inlined
def _exp(x):
    s, t = _power(x)
    return s + s * t


@inlined
def _tanh(a):
    s, t = _power(F(2) * a)
    u = (s - F(1)) + s * t  # e^2a - 1, to the last digits near zero too
    return u / (u + F(2))


@inlined
def _tanh_slope(h):
    return F(1) - h * h


@inlined
def _sigmoid(a):
    return F(1) / (F(1) + _exp(-a))


@inlined
def _sigmoid_slope(h):
    return h * (F(1) - h)


@inlined
def _relu(a):
    return F(0) if a < F(0) else a


@inlined
def _relu_slope(h):
    return F(1) if h > F(0) else F(0)


def _passes(value, slope):
    @compiled
    def activate(a, b):  # (B, n), (n,)
        for i in range(a.shape[0]):
            for j in range(a.shape[1]):
                a[i, j] = value(a[i, j] + b[j])

    @compiled
    def differentiate(delta, h, db):  # (B, n), (B, n), (n,)
        db[:] = F(0)
        for i in range(delta.shape[0]):
            for j in range(delta.shape[1]):
                d = delta[i, j] * slope(h[i, j])
                delta[i, j] = d
                db[j] += d

    return activate, differentiate


PASSES = {
    activations.tanh: _passes(_tanh, _tanh_slope),
    activations.sigmoid: _passes(_sigmoid, _sigmoid_slope),
    activations.relu: _passes(_relu, _relu_slope),
}


# ---- images and loss


@compiled
def _gather(images, rows, x, scale):  # (n, n_0), (B,), (B, n_0)
    for i in range(x.shape[0]):
        row = images[rows[i]]
        for j in range(x.shape[1]):
            x[i, j] = scale * F(row[j])


@compiled
def _cross_entropy(a, y, delta):  # all (B, classes)
    loss, share = 0.0, F(1) / F(len(a))
    for i in range(a.shape[0]):
        top, total, product = a[i, 0], F(0), F(0)
        for j in range(1, a.shape[1]):
            top = a[i, j] if a[i, j] > top else top
        for j in range(a.shape[1]):
            e = _exp(a[i, j] - top)
            total += e
            product += y[i, j] * (a[i, j] - top)
            delta[i, j] = e
        loss += math.log(total) - product
        for j in range(a.shape[1]):
            delta[i, j] = share * (delta[i, j] / total - y[i, j])
    return loss / len(a)


# ---- optimizers: loops over θ, its gradient g and what the rule remembers. First `decay` times θ joins g.


@inlined
def _sgd(theta, gradient, u, v, decay, settings):
    total, rate = F(0), F(settings[0])
    for i in range(len(theta)):
        w = theta[i]
        g = gradient[i] + decay * w
        total += decay * w * w
        gradient[i] = g
        theta[i] = w - rate * g
    return total


@inlined
def _momentum(theta, gradient, u, v, decay, settings):
    total, momentum, rate, rate_now = F(0), F(settings[0]), F(settings[1]), F(settings[2])
    for i in range(len(theta)):
        w = theta[i]
        g = gradient[i] + decay * w
        total += decay * w * w
        gradient[i] = g
        u[i] = momentum * u[i] + g
        theta[i] = w - (rate * u[i] + rate_now * g)
    return total


@inlined
def _rmsprop(theta, gradient, u, v, decay, settings):
    total, beta, rest, rate, epsilon = F(0), F(settings[0]), F(1 - settings[0]), F(settings[1]), F(settings[2])
    for i in range(len(theta)):
        w = theta[i]
        g = gradient[i] + decay * w
        total += decay * w * w
        gradient[i] = g
        v[i] = beta * v[i] + rest * g * g
        theta[i] = w - rate * g / (math.sqrt(v[i]) + epsilon)
    return total


@inlined
def _adam(theta, gradient, u, v, decay, settings):
    total, beta1, beta2 = F(0), F(settings[0]), F(settings[1])
    rate, rate_now, epsilon = F(settings[2]), F(settings[3]), F(settings[4])
    for i in range(len(theta)):
        w = theta[i]
        g = gradient[i] + decay * w
        total += decay * w * w
        gradient[i] = g
        u[i] = beta1 * u[i] + g
        v[i] = beta2 * v[i] + g * g
        theta[i] = w - (rate * u[i] + rate_now * g) / (math.sqrt(v[i]) + epsilon)
    return total


def _rule(loop):
    @compiled
    def step(theta, gradient, u, v, weights, decay, settings):  # four of (n,), the number of weights, which come first
        total = loop(theta[:weights], gradient[:weights], u[:weights], v[:weights], F(decay), settings)
        loop(theta[weights:], gradient[weights:], u[weights:], v[weights:], F(0), settings)
        return total  # decay Σ W²

    return step


def _of_sgd(o, unused):
    return unused, unused, (float(o.learning_rate),)  # float: a whole number would have the rule compiled once more


def _of_momentum(o, unused):
    return o.u, unused, (float(o.momentum), float(o.learning_rate), 0.0)


def _of_nesterov(o, unused):
    rate = float(o.learning_rate)
    return o.u, unused, (float(o.momentum), rate * o.momentum, rate)


def _of_rmsprop(o, unused):
    return unused, o.v, (float(o.beta), float(o.learning_rate), float(o.epsilon))


def _of_adam(o, unused):
    o.t += 1
    c, e = o.factors()
    return o.g_sum, o.g2_sum, (float(o.beta1), float(o.beta2), c, 0.0, e)


def _of_nadam(o, unused):
    o.t += 1
    c, e = o.factors()
    return o.g_sum, o.g2_sum, (float(o.beta1), float(o.beta2), c * o.share_of_sum(), c, e)


_with_momentum, _with_moments = _rule(_momentum), _rule(_adam)
STEPS = {  # optimizer -> its rule, and the vectors and settings that the rule takes
    optimizers.SGD: (_rule(_sgd), _of_sgd),
    optimizers.Momentum: (_with_momentum, _of_momentum),
    optimizers.Nesterov: (_with_momentum, _of_nesterov),
    optimizers.RMSProp: (_rule(_rmsprop), _of_rmsprop),
    folded.Adam: (_with_moments, _of_adam),
    folded.NAdam: (_with_moments, _of_nadam),
}


class Compiled(Plain):
    """As Plain, by kernels where there are some. An activation leaves h in the place of a."""

    name = "numba"

    def __init__(self, activation, loss, optimizer):
        super().__init__(activation, loss, optimizer)
        usual = activation in activations.ACTIVATIONS.values()
        self._passes = next(
            (some for function, some in PASSES.items() if usual and function is activation.function), None
        )
        self._rule, self._state = STEPS.get(type(optimizer), (None, None))
        if loss.function is cross_entropy:
            self.loss = _loss

    def gather(self, images, rows, x):
        if images.dtype != np.uint8:
            return super().gather(images, rows, x)
        _gather(images, rows, x, F(1 / 255))
        return x

    def activate(self, a, b):
        if self._passes is None:
            return super().activate(a, b)
        self._passes[0](a, b)
        return a

    def differentiate(self, delta, a, h, db):
        if self._passes is None:
            super().differentiate(delta, a, h, db)
        else:
            self._passes[1](delta, h, db)

    def step(self, theta, gradient, loss, weights, l2):
        if self._rule is None:
            return super().step(theta, gradient, loss, weights, l2)
        u, v, settings = self._state(self.optimizer, gradient)
        return loss + 0.5 * self._rule(theta, gradient, u, v, weights.stop, l2, settings)


def _loss(a, y):
    delta = np.empty_like(a)
    return _cross_entropy(a, y, delta), delta
