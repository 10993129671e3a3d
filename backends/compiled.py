"""The backend that numba compiles: an optional extra, used where it is installed and never needed.

It takes `kernels.py` for what the usual configurations use, in float32. Everything else, a new optimizer or activation
for one, keeps its plain form. Where a network has compiled forms throughout, whole steps are compiled, products of
matrices included, and Python is back only after some hundreds of them.
"""

import functools

import numpy as np
from numba import config

import activations
import ingredients.hidden
import optimizers
from backends import blas, folded, kernels
from backends.plain import Plain
from ingredients import dropout
from ingredients.normalization import EPSILON, Batch
from losses import cross_entropy

ACTIVATIONS = {
    activations.tanh: kernels.TANH,
    activations.sigmoid: kernels.SIGMOID,
    activations.relu: kernels.RELU,
    activations.gelu: kernels.GELU,
    activations.silu: kernels.SILU,
}
NO_BYTES = np.empty((0, 0), np.uint8)


# optimizer -> the vectors u and v that its rule takes in the next step, and settings: six floats for every rule, since
# a kernel is compiled for each kind of tuple anew


def _of_sgd(o, unused):
    return unused, unused, (float(o.learning_rate), 0.0, 0.0, 0.0, 0.0, 0.0)


def _of_momentum(o, unused):
    return o.u, unused, (float(o.momentum), float(o.learning_rate), 0.0, 0.0, 0.0, 0.0)


def _of_nesterov(o, unused):
    rate = float(o.learning_rate)
    return o.u, unused, (float(o.momentum), rate * o.momentum, rate, 0.0, 0.0, 0.0)


def _of_rmsprop(o, unused):
    return unused, o.v, (float(o.beta), float(o.learning_rate), float(o.epsilon), 0.0, 0.0, 0.0)


def _of_adam(o, unused):
    o.t += 1
    c, e = o.factors()
    return o.g_sum, o.g2_sum, (float(o.beta1), float(o.beta2), c, 0.0, e, 0.0)


def _of_adamw(o, unused):
    u, v, settings = _of_adam(o, unused)
    return u, v, (*settings[:5], float(o.learning_rate * o.weight_decay))


def _of_nadam(o, unused):
    o.t += 1
    c, e = o.factors()
    return o.g_sum, o.g2_sum, (float(o.beta1), float(o.beta2), c * o.share_of_sum(), c, e, 0.0)


STEPS = {
    optimizers.SGD: (kernels.DESCENT, _of_sgd),
    optimizers.Momentum: (kernels.MOMENTUM, _of_momentum),
    optimizers.Nesterov: (kernels.MOMENTUM, _of_nesterov),
    optimizers.RMSProp: (kernels.RMSPROP, _of_rmsprop),
    folded.Adam: (kernels.MOMENTS, _of_adam),
    folded.NAdam: (kernels.MOMENTS, _of_nadam),
    folded.AdamW: (kernels.MOMENTS, _of_adamw),
}


class Hidden(ingredients.hidden.Hidden):
    """As the plain one, batch normalization and dropout by kernels."""

    def _normalize(self, a):
        if type(self.normalization) is not Batch:
            return super()._normalize(a)
        n = self.normalization
        self._z_hat, (mean, variance, self._inverse) = np.empty_like(a), np.empty((3, *n.gain.shape), a.dtype)
        kernels.normalize(a, n.gain, EPSILON, mean, variance, self._inverse, self._z_hat)
        n.run(mean, variance, len(a))

    def _normalize_back(self, delta, db):
        if type(self.normalization) is not Batch:
            return super()._normalize_back(delta, db)
        n = self.normalization
        kernels.normalize_back(delta, self._z_hat, n.gain, self._inverse, db, n.dgain)

    def _drop(self, h):
        self._bits, h = dropout.bits(self.rng, h.shape), h if self.backend.gated else h.copy()
        self._drop_back(h)
        return h

    def _drop_back(self, delta):
        scale = dropout.scale(self.rate, delta.dtype)
        kernels.drop(delta, self._bits, dropout.threshold(self.rate), float(scale))


class Compiled(Plain):
    """As Plain, by kernels where there are some. An activation leaves h in the place of a, or g'(a)."""

    name = "numba"
    hidden = Hidden

    def __init__(self, activation, loss, optimizer):
        super().__init__(activation, loss, optimizer)
        usual = activation in activations.ACTIVATIONS.values()
        self._kind = ACTIVATIONS.get(activation.function) if usual else None
        self.gated = self._kind in kernels.GATED  # so that h is of no use on the way back
        self._rule, self._state = STEPS.get(type(optimizer), (None, None))
        if loss.function is cross_entropy:
            self.loss = _loss

    @functools.cached_property
    def whole(self):
        usual = self._kind is not None and not self.gated
        forms = usual and self._rule is not None and self._loss.function is cross_entropy
        return forms and not config.DISABLE_JIT and blas.find() is not None

    def gather(self, images, rows, x):
        if images.dtype != np.uint8:
            return super().gather(images, rows, x)
        kernels.gather(_read_only(images), rows, x)
        return x

    def activate(self, a, b):
        if self._kind is None:
            return super().activate(a, b)
        if self.gated:
            h = np.empty_like(a)
            kernels.activate_gated(self._kind, a, b, h)
            return h
        kernels.activate(self._kind, a, b)
        return a

    def differentiate(self, delta, a, h, db):
        if self._kind is None:
            super().differentiate(delta, a, h, db)
        else:
            kernels.differentiate(self._kind, delta, a, db)

    def step(self, theta, gradient, loss, weights, l2):
        if self._rule is None:
            return super().step(theta, gradient, loss, weights, l2)
        u, v, settings = self._state(self.optimizer, gradient)
        return loss + 0.5 * kernels.update(self._rule, theta, gradient, u, v, weights.stop, float(l2), settings)

    def steps(self, theta, gradient, weights, l2, sizes, size, rates, images, rows, x, labels):
        losses, before = np.empty(-(-len(rows) // size)), self.optimizer.t
        settings = []
        for step in range(len(losses)):
            if rates:
                self.optimizer.learning_rate = rates[step]
            elif step and self.optimizer.t == before:  # nothing differs from step to step
                settings *= len(losses)
                break
            u, v, now = self._state(self.optimizer, gradient)
            settings.append(now)
        if images.dtype != np.uint8 or not images.flags.c_contiguous:
            images, x = NO_BYTES, super().gather(images, rows, x)
        done, correct = kernels.steps(
            tuple(blas.find()), self._kind, self._rule, np.array(sizes), size, _read_only(images), rows, x,
            labels.astype(np.int64), (theta, gradient, u, v), weights.stop, float(l2), np.array(settings), losses,
        )  # fmt: skip
        if self.optimizer.t > before:  # by steps that were done, and no others
            self.optimizer.t = before + done
        return losses[:done].tolist(), correct


def _read_only(images):
    """The same array, read-only as a mapped file is: a kernel is compiled for each kind of array anew."""
    images = images.view()
    images.flags.writeable = False
    return images


def _loss(a, y):
    delta = np.empty_like(a)
    return kernels.cross_entropy(a, y, delta), delta
