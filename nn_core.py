"""A fully connected network: its forward pass, its gradients by hand, its training.

In the notation of the course, with g the activation and L = layers + 1:

    h_0 = x,    a_k = W_k h_(k-1) + b_k,    h_k = g(a_k)  for k < L,    ŷ = softmax(a_L)

Examples are rows here: a batch of B of them is h_0 of shape (B, n_0), and a_k = h_(k-1) W_kᵀ + b_k of shape (B, n_k).
"""

import itertools
import json
import math
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy import ndarray

import backends
from activations import ACTIVATIONS
from backends.memory import carver
from common.files import require_file, whole_file
from common.names import choose, hint
from common.words import shown, text_of
from ingredients.augmentation import mirror_images
from ingredients.recipe import MEASURED, Layers, Recipe
from losses import LOSSES, ones, softmax
from optimizers import OPTIMIZERS, Optimizer, check_setting

CHUNK = 1024  # rows at a time, more of them in compiled steps: few enough for the cache, many enough for a call's cost
WORK = 2**31  # rows times parameters in compiled steps at a time: some tenths of a second, so that Ctrl-C is heard
LAYERS = 3  # hidden layers, unless others are asked for
MINIMUM = {"max_epochs": 1, "layers": 0, "num_hidden_neurons": 1, "batch_size": 1, "seed": 0, "inputs": 1, "classes": 2}
MAXIMUM = {"layers": 1000, "seed": 2**128 - 1}  # of the others 2**31 - 1, with which no size overflows


PARTS = ("optimizer", "recipe")  # of a saved network's state, with arrays of their own


class Diverged(FloatingPointError):
    """The loss is no longer a finite number; its text says where, and what to try."""


# ---- initial weights: (n_in, n_out, rng) -> (n_in, n_out); biases start at zero


def random(n_in: int, n_out: int, rng: np.random.Generator) -> ndarray:
    """Normal with standard deviation 0.05, whatever the layer's size."""
    return rng.normal(0, 0.05, (n_in, n_out))


def xavier(n_in: int, n_out: int, rng: np.random.Generator) -> ndarray:
    """Uniform within ±√(6 / (n_in + n_out)) (Glorot and Bengio, 2010, eq. 16)."""
    bound = math.sqrt(6 / (n_in + n_out))
    return rng.uniform(-bound, bound, (n_in, n_out))


def he(n_in: int, n_out: int, rng: np.random.Generator) -> ndarray:
    """Normal with standard deviation √(2 / n_in) (He et al., 2015, eq. 10)."""
    return rng.normal(0, math.sqrt(2 / n_in), (n_in, n_out))


INITIALIZERS = {"random": random, "xavier": xavier, "he": he}


class NeuralNetwork:
    """A network and its training, from a configuration.

    Args:
        max_epochs: passes over the training examples.
        initializer, activation, optimizer, loss: names in INITIALIZERS, ACTIVATIONS, OPTIMIZERS, LOSSES, in any case.
        layers: hidden layers; None is one for each width that `num_hidden_neurons` lists, otherwise 3.
        num_hidden_neurons: neurons in each of them, or a list of widths, one a layer from the input on.
        learning_rate, batch_size: as usual; a last batch that is smaller is used as well.
        weight_decay: λ of the L2 term ½ λ Σ W² in the loss; weights only, never biases. An optimizer that has a
            `weight_decay` of its own (ADAMW) takes it instead.
        seed: of the initial weights and of the order of examples. Same seed, machine, backend and threads: same bits.
        inputs, classes: the size of an example, and the number of labels.
        dtype: "float32", or "float64" to check gradients.
        backend: "numpy", or "numba" for the kernels of `backends/compiled.py`, which has them for float32; "auto" takes
            them where numba is installed. Both compute the same but for rounding.
        threads: how many BLAS uses in training; None lets `backends/threads.py` choose, by the size of the products.
        settings: the optimizer's own hyper-parameters (momentum, beta, beta1, beta2, epsilon); None is its default.

    The rest goes beyond the exercise, and a file of `ingredients/` has each of them:

        schedule, warmup: by what the learning rate is multiplied from step to step, a name in SCHEDULES, over
            max_epochs; and over how many epochs it rises to that first.
        dropout, input_dropout: the probability that a hidden neuron, or an input, is left out of a step.
        label_smoothing, mixup: the share of a label that goes to all classes; α of Beta(α, α), the share of an example
            that stays when it is mixed with another.
        normalization: of pre-activations, a name in NORMALIZATIONS. `gains` are then parameters too.
        augmentation: of images, which are square: a name in AUGMENTATIONS, or a list of them.
        averaging: of weights, a name in AVERAGINGS; the network answers with their mean.

    Raises:
        ValueError: in one sentence, naming the argument, its value, and what would do.
    """

    ACTIVATIONS = ACTIVATIONS
    INITIALIZERS = INITIALIZERS
    LOSSES = LOSSES
    OPTIMIZERS = OPTIMIZERS

    def __init__(
        self,
        *,
        max_epochs: int = 10,
        initializer: str = "xavier",
        layers: int | None = None,
        num_hidden_neurons: int | Sequence[int] = 128,
        activation: str = "tanh",
        learning_rate: float = 1e-3,
        weight_decay: float = 0.0,
        optimizer: str = "adam",
        batch_size: int = 32,
        loss: str = "cross_entropy",
        seed: int = 0,
        inputs: int = 784,
        classes: int = 10,
        dtype: str = "float32",
        backend: str = "auto",
        threads: int | None = None,
        schedule: str = "constant",
        warmup: float = 0.0,
        dropout: float = 0.0,
        input_dropout: float = 0.0,
        label_smoothing: float = 0.0,
        mixup: float = 0.0,
        normalization: str = "none",
        augmentation: str | Sequence[str] = "none",
        averaging: str = "none",
        **settings: float | None,
    ):
        arguments = {name: value for name, value in locals().items() if name not in ("self", "settings")}
        several = isinstance(num_hidden_neurons, list | tuple)
        if layers is None:
            layers = arguments["layers"] = len(num_hidden_neurons) if several else LAYERS
        given = arguments | {name: value for name, value in settings.items() if value is not None}
        self.config = {name: _plain(value) for name, value in given.items()}
        for key, least in MINIMUM.items():
            for value in num_hidden_neurons if several and key == "num_hidden_neurons" else [self.config[key]]:
                _check_integer(key, value, least)
        widths = list(num_hidden_neurons) if several else [num_hidden_neurons] * layers
        if len(widths) != layers:
            raise ValueError(
                f"layers={layers}: num_hidden_neurons={shown(widths)} lists {len(widths)}; leave layers out."
            )
        if threads is not None:
            _check_integer("threads", threads, 1)
        check_setting("weight_decay", weight_decay, "NeuralNetwork")
        self.epoch = 0  # epochs done
        self._dtype = np.dtype(choose("dtype", dtype, {"float32": "float32", "float64": "float64"}))
        self._activation = choose("activation", activation, self.ACTIVATIONS)
        self._loss = choose("loss", loss, self.LOSSES)
        initialize = choose("initializer", initializer, self.INITIALIZERS)
        # The third splits the data.
        initialization, self._shuffling, _, *streams = np.random.default_rng(seed).spawn(7)
        self._recipe = Recipe(self.config, streams)

        chosen = backends.choose(choose("backend", backend, {name: name for name in backends.NAMES}), self._dtype)
        self.optimizer = self._make_optimizer(settings, arguments, chosen)
        self._sizes = [inputs, *widths, classes]
        self._backend = chosen(self._activation, self._loss, self.optimizer)
        try:
            self._allocate()
            for W in self._weights.values():
                W[...] = initialize(*W.T.shape, initialization).T
        except MemoryError as error:
            lower = "lower num_hidden_neurons, layers, inputs or classes"
            raise ValueError(f"there is no room in memory ({text_of(error)}): {lower}.") from error

    @property
    def backend(self) -> str:
        """The name of the backend in use."""
        return self._backend.name

    @property
    def compiled(self) -> bool:
        """Whether training is by whole steps that are compiled, or by calls from here for each part of a step."""
        return self._backend.whole and self._recipe.plain_steps and self.config["batch_size"] * len(self._theta) <= WORK

    @property
    def threads(self) -> int:
        """The threads that BLAS uses in training."""
        from backends import threads  # here, and in train: what merely predicts need not import it

        return self.config["threads"] or threads.choose(self._sizes, self.config["batch_size"])

    def _make_optimizer(
        self, settings: Mapping[str, float | None], arguments: Iterable[str], backend: type[backends.Plain]
    ) -> Optimizer:
        kind = choose("optimizer", self.config["optimizer"], self.OPTIMIZERS)
        names = kind.setting_names()
        known = sorted({name for any_kind in self.OPTIMIZERS.values() for name in any_kind.setting_names()})
        for name, value in settings.items():
            if name not in known or (value is not None and name not in names):
                close = "" if name in known else hint(name, [*names, *arguments, *known])
                setting = shown(name).strip("'") + f"={shown(value)}"
                raise ValueError(
                    f"{setting}: optimizer {self.config['optimizer']!r} has no such setting{close or '.'} "
                    f"Its settings: {', '.join(names)}."
                )
        self._l2 = 0.0 if "weight_decay" in names else float(self.config["weight_decay"])
        return backend.form_of(kind)(**{name: self.config[name] for name in names if name in self.config})

    def _allocate(self):
        """Make room for parameters, gradient and what the optimizer remembers, and views of it for each layer."""
        weights = sum(n_in * n_out for n_in, n_out in itertools.pairwise(self._sizes))
        gains = sum(self._sizes[1:-1]) if self._recipe.normalization else 0
        carve = self._memory(weights + sum(self._sizes[1:]) + gains)
        self._theta, self._gradient = carve(), carve()
        self._theta[len(self._theta) - gains :] = 1
        self._weights, self._biases, self._gains = self._views(self._theta)
        dweights, dbiases, dgains = (list(part.values()) for part in self._views(self._gradient))
        self._recipe.prepare(self._theta, self._sizes[1:-1])
        between = self._recipe.between(self._backend, self._gains.values(), dgains)
        parts = (self._weights.values(), self._biases.values(), [*between, None])
        self._layers = list(zip(*parts, strict=True))  # W_k, b_k, and what follows their product
        self._gradients = list(zip(dweights, dbiases, strict=True))
        self._decayed = slice(weights)  # of theta and of its gradient
        self.optimizer.prepare(self._theta, self._decayed, carve)

    def _memory(self, n: int) -> Callable[..., ndarray]:
        """What carves vectors (n,) from one block. Raises MemoryError where there is no room for it."""
        count = 3 + len(self.optimizer.vectors)
        try:
            return carver(count, n, self._dtype)
        except (MemoryError, ValueError) as error:  # the latter for more than there are addresses
            size = count * n * self._dtype.itemsize
            raise MemoryError(f"{size:,} bytes are asked for, for {n:,} parameters") from error

    def _views(self, vector: ndarray) -> tuple[Mapping[int, ndarray], ...]:
        """See a flat vector as W_k (n_k, n_(k-1)), as b_k (n_k,) and, of layers that are normalized, as γ_k (n_k,).

        It holds W_1ᵀ ... W_Lᵀ b_1 ... b_L γ_1 ... γ_(L-1), so that all that decays is one slice.
        """
        weights, biases, gains, start = {}, {}, {}, 0
        for k, (n_in, n_out) in enumerate(itertools.pairwise(self._sizes), 1):
            weights[k] = vector[start : start + n_in * n_out].reshape(n_in, n_out).T
            start += n_in * n_out
        for k, n_out in enumerate(self._sizes[1:], 1):
            biases[k] = vector[start : start + n_out]
            start += n_out
        for k, n in enumerate(self._sizes[1:-1] if start < len(vector) else (), 1):
            gains[k] = vector[start : start + n]
            start += n
        return MappingProxyType(weights), MappingProxyType(biases), MappingProxyType(gains)

    # Read-only, so that nothing can be rebound and cease to be a view. Contents may change: net.weights[1][...] *= 2.
    theta = property(lambda self: self._theta, doc="All parameters, (n,).")
    gradient = property(lambda self: self._gradient, doc="The loss's gradient by theta, (n,), of the last batch.")
    weights = property(lambda self: self._weights, doc="k -> W_k, (n_k, n_(k-1)), views into theta; k = 1 ... L.")
    biases = property(lambda self: self._biases, doc="k -> b_k, (n_k,), views into theta; k = 1 ... L.")
    gains = property(lambda self: self._gains, doc="k -> γ_k, (n_k,), of layers that are normalized, views into theta.")

    def __repr__(self):
        return f"NeuralNetwork({', '.join(f'{k}={v!r}' for k, v in self.config.items())})"

    # ---- forward and backward

    def _forward(self, x: ndarray, out: ndarray, layers: Layers) -> tuple[list[ndarray], list[ndarray]]:
        """a_0 ... a_(L-1) and h_0 ... h_(L-1) of a batch x (B, n_0), a_L in `out` (B, n_L); a_0 stands for nothing."""
        a, h = [x], [x]
        for W, b, between in layers[:-1]:
            a.append(h[-1].dot(W.T))  # (B, n_k)
            h.append(between.activate(a[-1], b))  # (B, n_k)
        W, b, _ = layers[-1]
        h[-1].dot(W.T, out)
        out += b
        return a, h

    def _backward(self, x: ndarray, y: ndarray, out: ndarray) -> float:
        """Fill the gradient for a batch x (B, n_0) and its one-hot labels y (B, n_L), and `out` with a_L (B, n_L).

        Returns the loss. The L2 term is in neither.
        """
        a, h = self._forward(x, out, self._layers)
        loss, delta = self._backend.loss(out, y)  # delta: the loss's gradient by a_k, (B, n_k)
        ones(len(delta), delta.dtype).dot(delta, self._gradients[-1][1])
        for k in range(len(h), 0, -1):
            (W, _, _), (dW, _) = self._layers[k - 1], self._gradients[k - 1]
            h[k - 1].T.dot(delta, dW.T)
            if k > 1:
                delta = delta.dot(W)
                (_, _, between), (_, db) = self._layers[k - 2], self._gradients[k - 2]
                between.differentiate(delta, a[k - 1], h[k - 1], db)
        return loss

    def backpropagate(self, images: ndarray, labels: ndarray) -> float:
        """The loss of a batch, L2 term included; leaves its gradient by theta in `gradient`."""
        images, labels = self._check(images, labels)
        x, y = self._examples(images, np.arange(len(images)), labels, np.empty(images.shape, self._dtype), len(images))
        loss = self._backward(x, y, self._outputs(len(labels)))
        return loss + self._backend.penalize(self._theta, self._gradient, self._decayed, self._l2)

    # ---- training

    def train(
        self,
        train: tuple[ndarray, ndarray],
        validation: tuple[ndarray, ndarray] | None = None,
        max_epochs: int | None = None,
    ) -> Iterator[dict[str, float]]:
        """Train until `max_epochs` epochs are done in all, and yield one record after each.

        Args:
            train, validation: images and labels. Images are (n, inputs) or (n, ...) with as many elements: uint8 is
                taken as pixels and scaled to [0, 1], floating point is taken as it is. Labels are whole numbers, (n,).
            max_epochs: instead of the configuration's.

        Yields:
            epoch (from 1), loss and accuracy (means over the epoch's batches, each before its step; the loss with its
            L2 term), validationloss (likewise) and validationaccuracy (if there is validation), seconds.

        Raises:
            ValueError: at once, for arguments that do not fit.
            Diverged: when the loss is no longer finite.
        """
        max_epochs = self.config["max_epochs"] if max_epochs is None else max_epochs
        _check_integer("max_epochs", max_epochs, 1)
        train = self._check(*_pair("train", train))
        if validation is not None:
            validation = self._check(*_pair("validation", validation))
        return self._epochs(train, validation, max_epochs)

    def _epochs(self, train, validation, max_epochs: int) -> Iterator[dict[str, float]]:
        from backends.threads import limit

        while self.epoch < max_epochs:
            start = time.perf_counter()
            # What is not finite is found, and said in words.
            with np.errstate(over="ignore", invalid="ignore"), limit(self.threads):
                loss, accuracy = self._train_epoch(*train)
                record = {"epoch": self.epoch + 1, "loss": loss, "accuracy": accuracy}
                if validation is not None:
                    record |= {f"validation{name}": value for name, value in self.evaluate(*validation).items()}
            if not all(map(math.isfinite, record.values())) or not np.isfinite(self._theta).all():
                raise self._diverged("The loss is no longer finite after the last step")
            self.epoch += 1
            yield record | {"seconds": time.perf_counter() - start}

    def _train_epoch(self, images: ndarray, labels: ndarray) -> tuple[float, float]:
        n, size = len(labels), self.config["batch_size"]
        order = self._shuffling.permutation(n)
        rows = max(min(CHUNK * (8 if self.compiled else 1), WORK // len(self._theta)) // size, 1) * size
        chunk = np.empty((min(rows, n), self._sizes[0]), self._dtype)
        rates, total, correct = self._recipe.rates(self.epoch, -(-n // size)), 0.0, 0
        for start in range(0, n, rows):
            chosen = order[start : start + rows]
            later = rates and rates[start // size :]
            losses, right = self._steps(images, chosen, labels[chosen], chunk[: len(chosen)], later)
            if not math.isfinite(losses[-1]):
                raise self._diverged(f"The loss became {losses[-1]} in step {start // size + len(losses)}")
            for b, loss in enumerate(losses):
                total += loss * min(size, len(chosen) - b * size)
            correct += int(right)
        self._after_epoch(images, order[:MEASURED])
        return total / n, correct / n

    def _steps(
        self, images: ndarray, rows: ndarray, labels: ndarray, x: ndarray, rates: list[float] | None
    ) -> tuple[list[float], int]:
        """Train on the given rows (m,), batch by batch, with room for them in x (m, n_0), and with a learning rate for
        each batch, if there are some. Returns each batch's loss, up to one that is not finite, and how many examples
        were classified correctly."""
        size, losses = self.config["batch_size"], []
        if self.compiled:
            parameters = self._theta, self._gradient, self._decayed, self._l2
            return self._backend.steps(*parameters, self._sizes, size, rates, images, rows, x, labels)
        (x, y), outputs = self._examples(images, rows, labels, x, size), self._outputs(len(rows))
        for step, start in enumerate(range(0, len(rows), size)):
            batch = slice(start, start + size)
            if rates:
                self.optimizer.learning_rate = rates[step]
            loss = self._backward(x[batch], y[batch], outputs[batch])
            losses.append(self._backend.step(self._theta, self._gradient, loss, self._decayed, self._l2))
            if not math.isfinite(losses[-1]):
                break
            self._recipe.after_step(self._theta)
        return losses, np.count_nonzero(outputs.argmax(axis=1) == labels)

    def _examples(
        self, images: ndarray, rows: ndarray, labels: ndarray, x: ndarray, size: int
    ) -> tuple[ndarray, ndarray]:
        """The given rows (m,) and what is to be learnt of them, as training has them: x (m, n_0), y (m, n_L)."""
        images, rows = self._recipe.examples.augment(images, rows, size)
        x, y = self._backend.gather(images, rows, x), self._recipe.truth(self._one_hot(labels))
        self._recipe.examples.blur(x, y, size)
        return x, y

    def _after_epoch(self, images: ndarray, rows: ndarray) -> None:
        """Bring the average of weights up to date, if there is one, and what it needs to know of some images."""
        self._recipe.after_epoch(self._theta, self.epoch + 1)
        if self._recipe.measures:
            x = self._backend.gather(images, rows, np.empty((len(rows), self._sizes[0]), self._dtype))
            self._forward(x, self._outputs(len(x)), self._answering(measure=True))

    def _diverged(self, what: str) -> Diverged:
        rate = self.config["learning_rate"]
        return Diverged(f"{what} of epoch {self.epoch + 1}: training diverged. Try a learning_rate below {rate}.")

    def _one_hot(self, labels: ndarray) -> ndarray:
        return np.eye(self._sizes[-1], dtype=self._dtype)[labels]

    def _outputs(self, n: int) -> ndarray:
        """Room for a_L of n examples, (n, classes)."""
        return np.empty((n, self._sizes[-1]), self._dtype)

    def _check(self, images: ndarray, labels: ndarray) -> tuple[ndarray, ndarray]:
        """Images as (n, inputs) and labels as (n,), or a sentence."""
        images, labels = self._check_images(images), np.asarray(labels)
        self._check_finite(images)
        if labels.shape != images.shape[:1]:
            raise ValueError(f"labels of shape {labels.shape} for {len(images)} images: expected one label an image.")
        classes = self._sizes[-1]
        if not np.issubdtype(labels.dtype, np.integer):
            raise ValueError(f"labels of type {labels.dtype}: expected whole numbers below {classes}.")
        if labels.min() < 0 or labels.max() >= classes:
            raise ValueError(f"labels from {labels.min()} to {labels.max()}: expected whole numbers below {classes}.")
        return images, labels

    def _check_images(self, images: ndarray) -> ndarray:
        images = np.asarray(images)  # not a memmap: its slices are slower to make
        inputs = self._sizes[0]
        if images.ndim < 2 or not len(images) or math.prod(images.shape[1:]) != inputs:
            raise ValueError(
                f"images of shape {images.shape}: expected (n, {inputs}), or {inputs} elements each, at least one."
            )
        if images.dtype != np.uint8 and not np.issubdtype(images.dtype, np.floating):
            raise ValueError(f"images of type {images.dtype}: expected uint8 pixels or floating point.")
        return images.reshape(len(images), inputs)

    def _check_finite(self, images: ndarray) -> None:
        limit = np.finfo(self._dtype).max
        if images.dtype != np.uint8 and not -limit <= images.min() <= images.max() <= limit:  # false for NaN as well
            raise ValueError(f"images with numbers that are not finite in {self._dtype}: expected none.")

    # ---- use

    def _infer(self, images: ndarray) -> ndarray:
        """a_L of images, (n, classes), so many at a time that they stay in the cache."""
        outputs, chunk = self._outputs(len(images)), np.empty((min(CHUNK, len(images)), self._sizes[0]), self._dtype)
        layers = self._answering()
        for start in range(0, len(images), CHUNK):
            x, out = images[start : start + CHUNK], outputs[start : start + CHUNK]
            self._check_finite(x)  # here, where it brings x into the cache
            if x.dtype != self._dtype:
                x = self._backend.gather(x, np.arange(len(x)), chunk[: len(x)])
            self._forward(x, out, layers)
        return outputs

    def _answering(self, measure: bool = False) -> Layers:
        """The layers in inference; see `Recipe.in_use`."""
        return self._recipe.in_use(self._views(self._answer), self._backend, measure)

    @property
    def _answer(self) -> ndarray:
        """The parameters that answer: their average, where there is one, or theta."""
        return self._theta if self._recipe.averaged is None else self._recipe.averaged

    def predict_proba(self, images: ndarray, mirrored: bool = False) -> ndarray:
        """ŷ, the probability of each class for each image, (n, classes).

        `mirrored`: the mean of an image's and of its mirror image's, for square images.
        """
        images = self._check_images(images)
        y_hat = softmax(self._infer(images))
        if mirrored:
            y_hat += softmax(self._infer(mirror_images(images)))
            y_hat /= 2
        return y_hat

    def predict(self, images: ndarray, mirrored: bool = False) -> ndarray:
        """The most probable class of each image, (n,); `mirrored` as in `predict_proba`."""
        if mirrored:
            return self.predict_proba(images, mirrored).argmax(axis=1)
        return self._infer(self._check_images(images)).argmax(axis=1)

    def evaluate(self, images: ndarray, labels: ndarray) -> dict[str, float]:
        """Mean loss, L2 term included, and accuracy as a fraction, in plain numbers."""
        images, labels = self._check(images, labels)
        outputs, weights = self._infer(images), self._answer[self._decayed]
        loss, _ = self._loss.function(outputs, self._one_hot(labels))
        correct = np.count_nonzero(outputs.argmax(axis=1) == labels)
        penalty = 0.5 * self._l2 * float(np.dot(weights, weights)) if self._l2 else 0.0
        return {"loss": loss + penalty, "accuracy": int(correct) / len(labels)}

    # ---- keeping

    def __getstate__(self) -> dict[str, Any]:
        """All that training goes on from; also what copy.deepcopy and pickle take, so that views stay views."""
        return {
            "config": self.config,
            "epoch": self.epoch,
            "shuffling": self._shuffling.bit_generator.state,
            "theta": self._theta,
            "optimizer": self.optimizer.state(),
            "recipe": self._recipe.state(),
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        backend = "numpy" if state["config"]["backend"] == "numpy" else "auto"  # numba may be missing here
        self.__init__(**state["config"] | {"backend": backend})
        for name, count in ("epoch", state["epoch"]), ("t", state["optimizer"].get("t", 0)):
            _check_integer(name, count, 0)
        self.epoch = state["epoch"]
        self._shuffling.bit_generator.state = state["shuffling"]
        if state["theta"].shape != self._theta.shape:  # or NumPy would repeat a shorter one
            raise ValueError(f"{state['theta'].shape} parameters for a network of {self._theta.shape}")
        self._theta[...] = state["theta"]
        self.optimizer.restore(state["optimizer"])
        self._recipe.restore(state.get("recipe", {}))  # which files lack that were written before there were any

    def save(self, path: str | os.PathLike) -> None:
        """Write weights, configuration, optimizer and the state of shuffling to an .npz file, whole or not at all."""
        path, state = Path(path), self.__getstate__()
        if not path.parent.is_dir():
            raise FileNotFoundError(f"{path}: there is no folder {path.parent} to save into.")
        arrays = {"theta": state.pop("theta")}
        for part in PARTS:
            content = state.pop(part)
            arrays |= {f"{part}.{k}": v for k, v in content.items() if isinstance(v, ndarray)}
            state[part] = {k: _plain(v) for k, v in content.items() if not isinstance(v, ndarray)}
        with whole_file(path) as file:
            np.savez(file, state=json.dumps(state), **arrays)

    @classmethod
    def load(cls, path: str | os.PathLike) -> "NeuralNetwork":
        """The network that was saved; its training goes on as if it had not stopped, bit for bit with the same backend
        and threads. One saved with numba's kernels is read without them too.

        Raises:
            FileNotFoundError: if there is no such file.
            ValueError: if it is not a whole file written by `save`.
        """
        net = cls.__new__(cls)
        try:
            require_file(Path(path))  # to open a pipe would wait for whoever writes it
            with open(path, "rb") as opened, np.load(opened, allow_pickle=False) as file:
                arrays = dict(file)
            state = json.loads(arrays.pop("state").item())
            state["theta"] = arrays.pop("theta")
            for name, array in arrays.items():
                part, _, key = name.partition(".")
                state[part][key] = array
            net.__setstate__(state)
        except FileNotFoundError:
            raise
        except Exception as error:  # a damaged file raises almost anything: OSError, BadZipFile, KeyError, TypeError
            raise ValueError(
                f"{path}: expected a network written by NeuralNetwork.save, found: {text_of(error)[:200]}."
            ) from error
        return net


# ---- checks of what is given


def _plain(value: Any) -> Any:
    """A NumPy number as Python's own and a tuple as a list, as JSON holds them."""
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value.item() if isinstance(value, np.generic) else value


def _pair(name: str, data: Any) -> tuple[ndarray, ndarray]:
    if not isinstance(data, tuple | list) or len(data) != 2:
        raise ValueError(f"{name}: expected a pair of images and labels, found {type(data).__name__}.")
    return data


def _check_integer(key: str, value: Any, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise ValueError(f"{key}={shown(value)}: expected a whole number of at least {least}.")
    if value > (most := MAXIMUM.get(key, 2**31 - 1)):
        raise ValueError(f"{key}={shown(value)}: expected a whole number of at most {most}.")
