"""All ingredients of one network, from its configuration; by default none, and then nothing here does anything."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy import ndarray

from common.names import choose
from ingredients import dropout
from ingredients.augmentation import AUGMENTATIONS
from ingredients.averaging import AVERAGINGS, Average
from ingredients.examples import Examples, smooth
from ingredients.normalization import NORMALIZATIONS, Batch
from ingredients.schedules import SCHEDULES, constant, warm_up
from optimizers import FRACTION, NOT_NEGATIVE, check_setting

BOUNDS = {
    "warmup": NOT_NEGATIVE,
    "dropout": dropout.RATE,
    "input_dropout": dropout.RATE,
    "label_smoothing": FRACTION,
    "mixup": NOT_NEGATIVE,
}
MEASURED = 8192  # training images on which the statistics of averaged weights are measured

NAMES = {  # parameter -> what its names stand for
    "schedule": SCHEDULES,
    "normalization": NORMALIZATIONS,
    "augmentation": AUGMENTATIONS,
    "averaging": AVERAGINGS,
}

Layers = list[tuple[ndarray, ndarray, Any]]  # W_k, b_k, and what follows their product: k = 1 ... L


class Recipe:
    """What a configuration asks for. `streams`: four generators, for dropout, that of inputs, mixup, augmentation."""

    def __init__(self, config: Mapping[str, Any], streams: Sequence[np.random.Generator]):
        for name in BOUNDS:
            check_setting(name, config[name], "NeuralNetwork", BOUNDS)
        names = (name for name in NAMES if name != "augmentation")  # of which there may be several
        self._schedule, self.normalization, self._averaging = (choose(n, config[n], NAMES[n]) for n in names)
        self.examples = Examples(
            config["augmentation"], config["mixup"], config["input_dropout"], config["inputs"], streams[1:]
        )
        self._config, self._streams = config, streams
        self.average: Average | None = None
        self._running = self._measured = np.empty((2, 0))

    @property
    def plain_steps(self) -> bool:
        """Whether a step is that of the exercise, whatever its rate, so that it may be compiled as a whole."""
        asked = (self._config[name] for name in ("dropout", "input_dropout", "label_smoothing", "mixup"))
        steps = self._averaging is not None and self._averaging.each_step
        return not (any(asked) or self.normalization or self.examples.augmentations or steps)

    def prepare(self, theta: ndarray, widths: Sequence[int]) -> None:
        """Make room for an average of theta (n,), and for the statistics of hidden layers of such widths."""
        self._widths = widths
        if self._averaging:
            self.average = self._averaging(theta)
        if self.normalization is Batch:
            self._running = np.zeros((2, sum(widths)), theta.dtype)  # means, variances
            self._running[1] = 1
            self._measured = self._running.copy()

    # ---- in training

    def rates(self, epoch: int, steps: int) -> list[float] | None:
        """The learning rate of each step of an epoch, counted from 0, that has so many; None: the optimizer's own."""
        config = self._config
        if self._schedule is constant and not config["warmup"]:
            return None
        total = config["max_epochs"] * steps
        return [
            config["learning_rate"]
            * self._schedule(min(step, total - 1), total)
            * warm_up(step, config["warmup"] * steps)
            for step in range(epoch * steps, (epoch + 1) * steps)
        ]

    def truth(self, y: ndarray) -> ndarray:
        """One-hot labels (m, K) as training takes them."""
        return smooth(y, self._config["label_smoothing"]) if self._config["label_smoothing"] else y

    def between(self, backend: Any, gains: Iterable[ndarray], dgains: Iterable[ndarray]) -> list[Any]:
        """What follows each hidden layer's product in training, given each γ (n_k,) and the place of its gradient."""
        rate, rng, normalizations = self._config["dropout"], self._streams[0], [None] * len(self._widths)
        if self.normalization:
            parts = zip(gains, dgains, self._parts(self._running), strict=True)
            normalizations = [self.normalization(*part) for part in parts]
        elif not rate:
            return [backend] * len(self._widths)
        return [backend.hidden(backend, normalization, rate, rng) for normalization in normalizations]

    def after_step(self, theta: ndarray) -> None:
        """Let the average take in the parameters after a step."""
        if self.average:
            self.average.after_step(theta)

    def after_epoch(self, theta: ndarray, epoch: int) -> None:
        """Let it take in those after an epoch, counted from 1."""
        if self.average:
            self.average.after_epoch(theta, epoch, self._config["max_epochs"])

    # ---- in inference

    @property
    def averaged(self) -> ndarray | None:
        """The mean of parameters (n,) that answers in their place, if there is one yet."""
        return self.average.theta if self.average and self.average.count else None

    @property
    def measures(self) -> bool:
        """Whether the statistics that belong to the averaged weights are to be measured after an epoch."""
        return self.averaged is not None and self.normalization is Batch

    def in_use(self, parts: Sequence[Mapping[int, ndarray]], backend: Any, measure: bool = False) -> Layers:
        """The layers as they answer, given all W_k, b_k and γ_k: without dropout, batch normalization folded into them.

        If they are to `measure`, what passes through them leaves its statistics, in the averaged weights' own.
        """
        weights, biases, gains = (list(part.values()) for part in parts)
        layers = [(W, b, backend) for W, b in zip(weights, biases, strict=True)]
        if self.normalization:
            statistics = self._parts(self._running if self.averaged is None else self._measured)
            for k, (gain, running) in enumerate(zip(gains, statistics, strict=True)):
                W, b, left = *layers[k][:2], self.normalization(gain, running=running, momentum=1.0)
                if not measure:
                    W, b, left = left.in_use(W, b)
                layers[k] = W, b, backend.hidden(backend, left) if left else backend
        return layers

    def _parts(self, statistics: ndarray) -> list[ndarray]:
        """Those of each hidden layer, (2, n_k), views."""
        ends = np.cumsum([0, *self._widths])
        return [statistics[:, start:end] for start, end in itertools.pairwise(ends)]

    # ---- keeping

    def state(self) -> dict[str, Any]:
        """All that training goes on from; nothing without ingredients."""
        state: dict[str, Any] = {}
        if not self.plain_steps:
            state["streams"] = [stream.bit_generator.state for stream in self._streams]
        if self._running.size:
            state |= {"running": self._running, "measured": self._measured}
        if self.average:
            state |= {"average": self.average.theta, "count": self.average.count}
        return state

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from such a state. Raises ValueError if it is that of another network."""
        for name, own in self.state().items():
            if isinstance(own, ndarray):
                if own.shape != state[name].shape:  # or NumPy would repeat a shorter one
                    raise ValueError(f"{name} of {state[name].shape} for a network of {own.shape}")
                own[...] = state[name]
        if not self.plain_steps:
            for stream, saved in zip(self._streams, state["streams"], strict=True):
                stream.bit_generator.state = saved
        if self.average:
            self.average.count = state["count"]
