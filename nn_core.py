"""A fully connected network: its forward pass, its gradients by hand, its training.

In the notation of the course, with g the activation and L = layers + 1:

    h_0 = x,    a_k = W_k h_(k-1) + b_k,    h_k = g(a_k)  for k < L,    ŷ = softmax(a_L)

Examples are rows here: a batch of B of them is h_0 of shape (B, n_0), and a_k = h_(k-1) W_kᵀ + b_k of shape (B, n_k).
"""

import difflib
import json
import math
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy import ndarray

from activations import ACTIVATIONS
from optimizers import OPTIMIZERS, Optimizer, check_setting

CHUNK = 1024  # rows gathered at a time: few enough to stay in the cache, many enough to spread the cost of the call
HUGE_PAGES = 4 * 2**20  # bytes from which NumPy asks the system for huge pages, which spare address look-ups


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


# ---- losses: a_L (B, classes), y one-hot (B, classes) -> the batch's mean loss, and its gradient by a_L


def softmax(a: ndarray) -> ndarray:
    """exp(a) over its sum along each row. The row's maximum is taken off first, so that nothing overflows."""
    e = np.exp(a - a.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def cross_entropy(a: ndarray, y: ndarray) -> tuple[float, ndarray]:
    """-(1/B) Σ y · log ŷ. From a and not from ŷ, so that no logarithm of zero is ever taken."""
    a = a - np.maximum.reduce(a, axis=1, keepdims=True)
    e = np.exp(a)
    total = np.add.reduce(e, axis=1, keepdims=True)
    loss = (np.log(total).sum() - np.vdot(a, y)) / len(a)
    e /= total
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


class NeuralNetwork:
    """A network and its training, from a configuration.

    Args:
        max_epochs: passes over the training examples.
        initializer, activation, optimizer, loss: names in INITIALIZERS, ACTIVATIONS, OPTIMIZERS, LOSSES, in any case.
        layers: hidden layers, each of `num_hidden_neurons`.
        learning_rate, batch_size: as usual; a last batch that is smaller is used as well.
        weight_decay: λ of the L2 term ½ λ Σ W² in the loss; weights only, never biases. An optimizer that has a
            `weight_decay` of its own (ADAMW) takes it instead.
        seed: of the initial weights and of the order of examples. Same seed, same machine, same bits.
        inputs, classes: the size of an example, and the number of labels.
        dtype: "float32", or "float64" to check gradients.
        settings: the optimizer's own hyper-parameters (momentum, beta, beta1, beta2, epsilon); None is its default.

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
        layers: int = 3,
        num_hidden_neurons: int = 128,
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
        **settings: float | None,
    ):
        given = {k: v for k, v in locals().items() if k not in ("self", "settings")}
        given |= {k: v for k, v in settings.items() if v is not None}
        self.config = {k: _plain(v) for k, v in given.items()}
        for key, least in MINIMUM.items():
            _check_integer(key, self.config[key], least)
        check_setting("weight_decay", weight_decay, "NeuralNetwork")
        self.epoch = 0  # epochs done
        self._dtype = np.dtype(_choose("dtype", dtype, {"float32": "float32", "float64": "float64"}))
        self._activation = _choose("activation", activation, self.ACTIVATIONS)
        self._loss = _choose("loss", loss, self.LOSSES)
        initialize = _choose("initializer", initializer, self.INITIALIZERS)
        initialization, self._shuffling, _ = np.random.default_rng(seed).spawn(3)  # the third splits the data

        self.optimizer = self._make_optimizer(settings)
        self._sizes = [inputs] + [num_hidden_neurons] * layers + [classes]
        self._allocate()
        for W in self._weights.values():
            W[...] = initialize(*W.T.shape, initialization).T

    def _make_optimizer(self, settings: Mapping[str, float | None]) -> Optimizer:
        kind = _choose("optimizer", self.config["optimizer"], self.OPTIMIZERS)
        names = kind.setting_names()
        known = sorted({name for any_kind in self.OPTIMIZERS.values() for name in any_kind.setting_names()})
        for name, value in settings.items():
            if name not in known or (value is not None and name not in names):
                close = "" if name in known else _closest(name, [*names, *ARGUMENTS, *known])
                raise ValueError(
                    f"{name}={value!r}: optimizer {self.config['optimizer']!r} has no such setting{close or '.'} "
                    f"Its settings: {', '.join(names)}."
                )
        self._l2 = 0.0 if "weight_decay" in names else self.config["weight_decay"]
        return kind(**{name: self.config[name] for name in names if name in self.config})

    def _allocate(self):
        """Carve parameters, gradient and the optimizer's vectors as views from one block of memory."""
        shapes = list(zip(self._sizes, self._sizes[1:], strict=False))
        self._weight_count = sum(n_in * n_out for n_in, n_out in shapes)
        n = self._weight_count + sum(self._sizes[1:])
        stride = -(-n // 16) * 16  # each vector starts on a cache line
        length = max((4 + len(self.optimizer.vectors)) * stride, HUGE_PAGES // self._dtype.itemsize)
        block = np.empty(length + 16, self._dtype)
        block = block[-block.ctypes.data % 64 // block.itemsize :]
        block.fill(0)
        free = iter(range(0, length, stride))

        def carve(_=None) -> ndarray:
            start = next(free)
            return block[start : start + n]

        self._theta, self._gradient, self._scratch = carve(), carve(), carve()
        self._weights, self._biases, self._first = self._views(self._theta)
        self._dweights, self._dbiases, self._dfirst = self._views(self._gradient)
        self.optimizer.prepare(self._theta, slice(self._weight_count), carve)

    def _views(self, vector: ndarray) -> tuple[Mapping[int, ndarray], Mapping[int, ndarray], ndarray]:
        """See a flat vector as W_k (n_k, n_(k-1)), as b_k (n_k,), and as the block (n_0 + 1, n_1) of W_1ᵀ over b_1.

        It holds W_Lᵀ ... W_1ᵀ b_1 ... b_L: all that decays is one slice, and b_1 follows W_1, so that one product with
        examples that end in a 1 does for both.
        """
        weights, biases = {}, {}
        start = 0
        for k in range(len(self._sizes) - 1, 0, -1):
            n_in, n_out = self._sizes[k - 1 : k + 1]
            weights[k] = vector[start : start + n_in * n_out].reshape(n_in, n_out).T
            start += n_in * n_out
        for k, n_out in enumerate(self._sizes[1:], 1):
            biases[k] = vector[start : start + n_out]
            start += n_out
        inputs, n_1 = self._sizes[:2]
        end = self._weight_count + n_1
        first = vector[end - (inputs + 1) * n_1 : end].reshape(inputs + 1, n_1)
        return MappingProxyType(dict(sorted(weights.items()))), MappingProxyType(biases), first

    # Read-only, so that nothing can be rebound and cease to be a view. Contents may change: net.weights[1][...] *= 2.
    theta = property(lambda self: self._theta, doc="All parameters, (n,).")
    gradient = property(lambda self: self._gradient, doc="The loss's gradient by theta, (n,), of the last batch.")
    weights = property(
        lambda self: self._weights, doc="k -> W_k, (n_k, n_(k-1)), views into theta; k = 1 ... layers + 1."
    )
    biases = property(lambda self: self._biases, doc="k -> b_k, (n_k,), views into theta; k = 1 ... layers + 1.")

    def __repr__(self):
        return f"NeuralNetwork({', '.join(f'{k}={v!r}' for k, v in self.config.items())})"

    # ---- forward and backward

    def _forward(self, x: ndarray) -> tuple[list[ndarray], list[ndarray]]:
        """a_0 ... a_L and h_0 ... h_(L-1) of a batch (B, n_0 + 1) whose last column is 1; a_0 stands for nothing."""
        a, h = [x, x @ self._first], [x]
        for k in range(2, len(self._sizes)):
            h.append(self._activation.function(a[-1]))  # (B, n_(k-1))
            a.append(h[-1] @ self._weights[k].T)  # (B, n_k)
            a[-1] += self._biases[k]
        return a, h

    def _backward(self, x: ndarray, y: ndarray) -> tuple[float, ndarray]:
        """Fill the gradient for a batch and its one-hot labels (B, classes). Returns the loss and a_L."""
        a, h = self._forward(x)
        loss, delta = self._loss(a[-1], y)  # delta: the loss's gradient by a_k, (B, n_k)
        ones = np.ones(len(x), self._dtype)
        for k in range(len(a) - 1, 1, -1):
            np.matmul(h[k - 1].T, delta, out=self._dweights[k].T)
            np.matmul(ones, delta, out=self._dbiases[k])
            delta = delta @ self._weights[k]
            delta *= self._activation.gradient(a[k - 1], h[k - 1])
        np.matmul(x.T, delta, out=self._dfirst)
        if self._l2:
            weights = self._theta[: self._weight_count]
            decay = np.multiply(weights, self._l2, self._scratch[: self._weight_count])
            loss += 0.5 * float(np.vdot(weights, decay))
            self._gradient[: self._weight_count] += decay
        return loss, a[-1]

    def backpropagate(self, images: ndarray, labels: ndarray) -> float:
        """The loss of a batch, L2 term included; leaves its gradient by theta in `gradient`."""
        images, labels = self._check(images, labels)
        return self._backward(self._read(images, slice(None)), self._one_hot(labels))[0]

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
        while self.epoch < max_epochs:
            start = time.perf_counter()
            with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is found, and said in words
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
        rows = max(CHUNK // size, 1) * size
        total, correct = 0.0, 0
        for start in range(0, n, rows):
            chosen = order[start : start + rows]
            x, y = self._read(images, chosen), self._one_hot(labels[chosen])
            for b in range(0, len(chosen), size):
                loss, output = self._backward(x[b : b + size], y[b : b + size])
                if not math.isfinite(loss):
                    raise self._diverged(f"The loss became {loss} in step {(start + b) // size + 1}")
                self.optimizer.step(self._theta, self._gradient, loss)
                total += loss * len(output)
                correct += np.count_nonzero(output.argmax(axis=1) == labels[chosen[b : b + size]])
        return total / n, int(correct) / n

    def _diverged(self, what: str) -> Diverged:
        rate = self.config["learning_rate"]
        return Diverged(f"{what} of epoch {self.epoch + 1}: training diverged. Try a learning_rate below {rate}.")

    def _read(self, images: ndarray, rows: ndarray | slice) -> ndarray:
        """Some of the images as a batch (B, n_0 + 1) that ends in a column of ones."""
        raw = images[rows] if isinstance(rows, slice) else np.take(images, rows, axis=0, mode="clip")  # clip: no check
        x = np.empty((len(raw), self._sizes[0] + 1), self._dtype)
        scale = 1 / 255 if raw.dtype == np.uint8 else 1
        np.multiply(raw, self._dtype.type(scale), out=x[:, :-1], casting="same_kind")
        x[:, -1] = 1
        return x

    def _one_hot(self, labels: ndarray) -> ndarray:
        return np.eye(self._sizes[-1], dtype=self._dtype)[labels]

    def _check(self, images: ndarray, labels: ndarray) -> tuple[ndarray, ndarray]:
        """Images as (n, inputs) and labels as (n,), or a sentence."""
        images, labels = self._check_images(images), np.asarray(labels)
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
        if images.dtype != np.uint8 and not np.isfinite(images).all():
            raise ValueError("images with numbers that are not finite: expected none.")
        return images.reshape(len(images), inputs)

    # ---- use

    def _outputs(self, images: ndarray) -> Iterator[tuple[slice, ndarray]]:
        for start in range(0, len(images), CHUNK):
            rows = slice(start, start + CHUNK)
            yield rows, self._forward(self._read(images, rows))[0][-1]

    def predict_proba(self, images: ndarray) -> ndarray:
        """ŷ, the probability of each class for each image, (n, classes)."""
        images = self._check_images(images)
        return np.concatenate([softmax(a) for _, a in self._outputs(images)])

    def predict(self, images: ndarray) -> ndarray:
        """The most probable class of each image, (n,)."""
        images = self._check_images(images)
        return np.concatenate([a.argmax(axis=1) for _, a in self._outputs(images)])

    def evaluate(self, images: ndarray, labels: ndarray) -> dict[str, float]:
        """Mean loss, L2 term included, and accuracy as a fraction, in plain numbers."""
        images, labels = self._check(images, labels)
        weights = self._theta[: self._weight_count]
        total, correct = 0.0, 0
        for rows, a in self._outputs(images):
            total += self._loss(a, self._one_hot(labels[rows]))[0] * len(a)
            correct += np.count_nonzero(a.argmax(axis=1) == labels[rows])
        penalty = 0.5 * self._l2 * float(np.vdot(weights, weights)) if self._l2 else 0.0
        return {"loss": total / len(labels) + penalty, "accuracy": int(correct) / len(labels)}

    # ---- keeping

    def __getstate__(self) -> dict[str, Any]:
        """All that training goes on from; also what copy.deepcopy and pickle take, so that views stay views."""
        passing = ("scratch", "decayed")  # nothing of it outlives a step
        return {
            "config": self.config,
            "epoch": self.epoch,
            "shuffling": self._shuffling.bit_generator.state,
            "theta": self._theta,
            "optimizer": {name: value for name, value in vars(self.optimizer).items() if name not in passing},
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state["config"])
        self.epoch = state["epoch"]
        self._shuffling.bit_generator.state = state["shuffling"]
        _fill(self._theta, state["theta"])
        for name, value in state["optimizer"].items():
            if isinstance(value, ndarray):
                _fill(getattr(self.optimizer, name), value)
            else:
                setattr(self.optimizer, name, value)

    def save(self, path: str | os.PathLike) -> None:
        """Write weights, configuration, optimizer and the state of shuffling to an .npz file, whole or not at all."""
        path, state = Path(path), self.__getstate__()
        if not path.parent.is_dir():
            raise FileNotFoundError(f"{path}: there is no folder {path.parent} to save into.")
        optimizer = state.pop("optimizer")
        arrays = {f"optimizer.{k}": v for k, v in optimizer.items() if isinstance(v, ndarray)} | {
            "theta": state.pop("theta")
        }
        state["optimizer"] = {k: _plain(v) for k, v in optimizer.items() if not isinstance(v, ndarray)}
        temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
        try:
            with open(temporary, "wb") as file:
                np.savez(file, state=json.dumps(state), **arrays)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)

    @classmethod
    def load(cls, path: str | os.PathLike) -> "NeuralNetwork":
        """The network that was saved; its training goes on, bit for bit, as if it had not stopped.

        Raises:
            FileNotFoundError: if there is no such file.
            ValueError: if it is not a whole file written by `save`.
        """
        net = cls.__new__(cls)
        try:
            with np.load(path, allow_pickle=False) as file:
                arrays = dict(file)
            state = json.loads(arrays.pop("state").item())
            state["theta"] = arrays.pop("theta")
            state["optimizer"] |= {name.removeprefix("optimizer."): vector for name, vector in arrays.items()}
            net.__setstate__(state)
        except FileNotFoundError:
            raise
        except Exception as error:  # a damaged file raises almost anything: OSError, BadZipFile, KeyError, TypeError
            raise ValueError(f"{path}: expected a network written by NeuralNetwork.save, found: {error}.") from error
        return net


ARGUMENTS = [name for name in NeuralNetwork.__init__.__annotations__ if name != "settings"]
MINIMUM = {"max_epochs": 1, "layers": 0, "num_hidden_neurons": 1, "batch_size": 1, "seed": 0, "inputs": 1, "classes": 2}


# ---- checks of what is given


def _closest(name: str, names: Any) -> str:
    close = difflib.get_close_matches(name, names, 1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _choose(key: str, name: Any, table: Mapping[str, Any]) -> Any:
    folded = {k.casefold(): v for k, v in table.items()}
    try:
        return folded[name.casefold()]
    except (KeyError, AttributeError):
        close = _closest(str(name).casefold(), folded)
        raise ValueError(f"{key}={name!r}: no such {key}{close or '.'} Choose from {', '.join(table)}.") from None


def _plain(value: Any) -> Any:
    """A NumPy number as Python's own, which JSON can hold."""
    return value.item() if isinstance(value, np.generic) else value


def _pair(name: str, data: Any) -> tuple[ndarray, ndarray]:
    if not isinstance(data, tuple | list) or len(data) != 2:
        raise ValueError(f"{name}: expected a pair of images and labels, found {type(data).__name__}.")
    return data


def _fill(vector: ndarray, values: ndarray) -> None:
    if values.shape != vector.shape:  # or NumPy would repeat a shorter one
        raise ValueError(f"{values.shape} numbers for a vector of {vector.shape}")
    vector[...] = values


def _check_integer(key: str, value: Any, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise ValueError(f"{key}={value!r}: expected a whole number of at least {least}.")
