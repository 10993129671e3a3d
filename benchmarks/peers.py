"""The contenders of the benchmark: the same training, written in each library as one who knows it would write it.

Each is a class `Peer(workload, images, labels)` with `epoch()`, which trains for one shuffled pass and returns its mean
loss, and `predict(images)`, the classes of images. Libraries are imported inside, so that each process holds one alone.
Where our own network does more, the others are spared it: their images are float32 in memory already, none counts how
often it is right, and only ours and scikit-learn's work out the L2 term of the loss, whose gradient all of them take.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import numpy as np
from numpy import ndarray

from backends import threads
from lab.evaluation import profiling


@dataclass(frozen=True)
class Workload:
    """A network and how it is trained; the input has 784 pixels, the output 10 classes."""

    layers: int
    num_hidden_neurons: int
    activation: str  # tanh, relu, sigmoid or gelu
    optimizer: str  # adam, adamw, sgd or nesterov
    batch_size: int
    weight_decay: float
    learning_rate: float = 1e-3
    momentum: float = 0.9  # of nesterov
    max_epochs: int = 10  # over which the rate is scheduled
    schedule: str = "constant"  # or cosine
    dropout: float = 0.0
    label_smoothing: float = 0.0
    normalization: str = "none"  # or batch
    augmentation: str = "none"  # or mirror

    @property
    def ingredients(self) -> bool:
        """Whether it goes beyond the exercise."""
        asked = self.dropout, self.label_smoothing, self.normalization != "none", self.augmentation != "none"
        return any(asked) or self.schedule != "constant"

    def rate(self, step: Any, per_epoch: int, cos: Callable = math.cos) -> Any:
        """The learning rate of a step, counted from 0."""
        share = step / (self.max_epochs * per_epoch)
        return self.learning_rate * (0.5 * (1 + cos(math.pi * share)) if self.schedule == "cosine" else 1)

    @property
    def sizes(self) -> list[int]:
        """Neurons of each layer, the input's 784 first."""
        return [784] + [self.num_hidden_neurons] * self.layers + [10]

    def __str__(self):
        widths = "-".join(map(str, self.sizes))
        return f"{widths}, {self.activation}, {self.optimizer}, batch {self.batch_size}"


WORKLOADS = {name: Workload(**config) for name, config in profiling.WORKLOADS.items()}


def pixels(images: ndarray) -> ndarray:
    """Bytes as float32 in [0, 1]."""
    return images / np.float32(255)


class Peer:
    """What all have: a workload, its data as float32 in [0, 1], a source of random orders."""

    name: ClassVar[str]
    title: ClassVar[str]  # as tables show it
    limited: ClassVar[bool] = False  # to what the exercise asks for

    @classmethod
    def takes(cls, workload: Workload) -> bool:
        """Whether it has all that the workload asks for."""
        return not (cls.limited and workload.ingredients)

    def __init__(self, workload: Workload, images: ndarray, labels: ndarray) -> None:
        self.workload = workload
        self.rng = np.random.default_rng(0)
        self.images, self.labels = pixels(images), labels.astype(np.int64)
        self.prepare()

    def prepare(self) -> None:
        """Make the network."""
        raise NotImplementedError

    def epoch(self) -> float:
        """Train for one pass; return the mean loss."""
        raise NotImplementedError

    def predict(self, images: ndarray) -> ndarray:
        """The class of each image, (n,), of float32 images (n, 784)."""
        raise NotImplementedError

    def initial(self) -> list[tuple[ndarray, ndarray]]:
        """W (n_in, n_out) and b of each layer: Glorot and Bengio's uniform weights, zeros."""
        pairs = zip(self.workload.sizes, self.workload.sizes[1:], strict=False)
        bounds = [((n_in, n_out), (6 / (n_in + n_out)) ** 0.5) for n_in, n_out in pairs]
        return [(np.float32(self.rng.uniform(-b, b, shape)), np.zeros(shape[1], np.float32)) for shape, b in bounds]


class Gemm(Peer):
    """No network: only the matrix products that one epoch of it consists of."""

    name, title = "gemm", profiling.BARE

    def prepare(self):
        self.multiply = profiling.products(self.workload.sizes, self.workload.batch_size)
        self.weights = [W for W, _ in self.initial()]

    def epoch(self):
        n, size = len(self.labels), self.workload.batch_size
        with threads.limit(threads.choose(self.workload.sizes, size)):
            for start in range(0, n, size):
                self.multiply(min(size, n - start))
        return 0.0

    def predict(self, images):
        for W in self.weights:
            images = images @ W
        return images[:, 0].astype(int)


class Symbols(Gemm):
    """The same products, each by one call of the BLAS that NumPy uses, from a compiled loop."""

    name, title = "symbols", profiling.SYMBOLS

    def prepare(self):
        import numba

        from backends import blas, kernels

        super().prepare()
        functions = blas.find()._replace(small=0)  # the products as they are, uncut
        call = numba.njit(lambda functions, *product: kernels.multiply(functions, *product))

        @numba.njit
        def multiply(functions, n, weights, gradients, h, delta):
            top = len(weights)
            for k in range(top):
                call(functions, h[k][:n], False, weights[k], False, h[k + 1][:n])
            for k in range(top - 1, -1, -1):
                call(functions, h[k][:n], True, delta[k + 1][:n], False, gradients[k])
                if k:
                    call(functions, delta[k + 1][:n], False, weights[k], True, delta[k][:n])

        @numba.njit
        def epoch(functions, total, size, weights, gradients, h, delta):
            for start in range(0, total, size):
                multiply(functions, min(size, total - start), weights, gradients, h, delta)

        sizes, size = self.workload.sizes, self.workload.batch_size
        layers = [np.zeros((size, n), np.float32) for n in sizes]
        arrays = [self.weights, [np.empty_like(W) for W in self.weights], layers, [np.copy(h) for h in layers]]
        arrays = [numba.typed.List(some) for some in arrays]
        self.run = lambda n: epoch(functions, n, size, *arrays)

    def epoch(self):
        with threads.limit(threads.choose(self.workload.sizes, self.workload.batch_size)):
            self.run(len(self.labels))
        return 0.0


class Numpy(Peer):
    """This project's network, with NumPy alone."""

    name, title, backend = "numpy", "ours, NumPy", "numpy"

    def __init__(self, workload, images, labels):
        self.workload, self.images, self.labels = workload, images, labels  # uint8: it scales them itself
        self.prepare()

    def prepare(self):
        from nn_core import NeuralNetwork

        w = self.workload  # of which all that is left as it is has the same default in the network
        config = {f.name: getattr(w, f.name) for f in fields(w) if getattr(w, f.name) != f.default}
        if "backend" in NeuralNetwork.__init__.__annotations__:  # commits before it, which bench-core can time, lack it
            config["backend"] = self.backend
        self.net = NeuralNetwork(**config)
        self.epochs = self.net.train((self.images, self.labels), max_epochs=10**6)

    def epoch(self):
        return next(self.epochs)["loss"]

    def predict(self, images):
        return self.net.predict(images)


class Numba(Numpy):
    """This project's network, with its optional kernels."""

    name, title, backend = "numba", "ours, with numba", "numba"


class Course(Peer):
    """What a good solution of the exercise looks like: lists of matrices, a loop over layers, NumPy's defaults."""

    name, title, limited = "course", "typical course NumPy", True

    FUNCTIONS: ClassVar = {
        "tanh": (np.tanh, lambda h: 1 - h**2),
        "relu": (lambda a: np.maximum(a, 0), lambda h: (h > 0) * 1.0),
        "sigmoid": (lambda a: 1 / (1 + np.exp(-a)), lambda h: h * (1 - h)),
    }

    def prepare(self):
        self.W, self.b = (list(map(np.float64, some)) for some in zip(*self.initial(), strict=True))
        self.x, self.y = self.images.astype(np.float64), np.eye(10)[self.labels]
        self.m = [np.zeros_like(p) for p in self.W + self.b]
        self.v = [np.zeros_like(p) for p in self.W + self.b]
        self.t = 0

    def epoch(self):
        order = self.rng.permutation(len(self.y))
        x, y = self.x[order], self.y[order]
        size, total = self.workload.batch_size, 0.0
        for start in range(0, len(y), size):
            total += self.step(x[start : start + size], y[start : start + size])
        return total / len(y)

    def step(self, x, y):
        g, gradient = self.FUNCTIONS[self.workload.activation]
        h = [x]
        for W, b in zip(self.W[:-1], self.b[:-1], strict=True):
            h.append(g(h[-1] @ W + b))
        output = h[-1] @ self.W[-1] + self.b[-1]
        p = np.exp(output - output.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        loss = -np.sum(y * np.log(p + 1e-12))
        dW, db = [], []
        delta = (p - y) / len(x)
        for k in reversed(range(len(self.W))):
            dW.insert(0, h[k].T @ delta + self.workload.weight_decay * self.W[k])
            db.insert(0, delta.sum(axis=0))
            if k:
                delta = delta @ self.W[k].T * gradient(h[k])
        self.update(dW + db)
        return loss

    def update(self, gradients):
        w, eta = self.workload, self.workload.learning_rate
        self.t += 1
        for k, (p, g) in enumerate(zip(self.W + self.b, gradients, strict=True)):
            if w.optimizer == "adam":
                self.m[k] = 0.9 * self.m[k] + 0.1 * g
                self.v[k] = 0.999 * self.v[k] + 0.001 * g**2
                m, v = self.m[k] / (1 - 0.9**self.t), self.v[k] / (1 - 0.999**self.t)
                p -= eta * m / (np.sqrt(v) + 1e-8)
            elif w.optimizer == "nesterov":
                self.m[k] = w.momentum * self.m[k] + g
                p -= eta * (g + w.momentum * self.m[k])
            else:
                p -= eta * g

    def predict(self, images):
        g, _ = self.FUNCTIONS[self.workload.activation]
        h = images
        for W, b in zip(self.W[:-1], self.b[:-1], strict=True):
            h = g(h @ W + b)
        return (h @ self.W[-1] + self.b[-1]).argmax(axis=1)


class ScikitLearn(Peer):
    """MLPClassifier, an epoch at a time."""

    name, title, limited = "sklearn", "scikit-learn", True

    def prepare(self):
        from sklearn.neural_network import MLPClassifier

        w = self.workload
        self.model = MLPClassifier(
            hidden_layer_sizes=(w.num_hidden_neurons,) * w.layers,
            activation={"sigmoid": "logistic"}.get(w.activation, w.activation),
            solver="adam" if w.optimizer == "adam" else "sgd",
            alpha=w.weight_decay * w.batch_size,  # by which it divides
            batch_size=w.batch_size,
            learning_rate_init=w.learning_rate,
            momentum=w.momentum if w.optimizer == "nesterov" else 0.0,
            nesterovs_momentum=w.optimizer == "nesterov",
            random_state=0,
        )

    def epoch(self):
        with warnings.catch_warnings(action="ignore"):
            self.model.partial_fit(self.images, self.labels, classes=range(10))
        return self.model.loss_

    def predict(self, images):
        return self.model.predict(images)


class Torch(Peer):
    """PyTorch, eager, the optimizer as it comes."""

    name, title, fused = "torch", "PyTorch eager", False

    def prepare(self):
        import os

        import torch
        from torch import nn

        torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
        torch.manual_seed(0)
        w, self.torch = self.workload, torch
        activation = {
            "tanh": nn.Tanh, "relu": nn.ReLU, "sigmoid": nn.Sigmoid, "gelu": lambda: nn.GELU(approximate="tanh")
        }[w.activation]  # fmt: skip
        modules, normalized = [], w.normalization == "batch"
        for n_in, n_out in zip(w.sizes[:-1], w.sizes[1:-1], strict=False):
            modules.append(nn.Linear(n_in, n_out, bias=not normalized, dtype=torch.float32))
            if normalized:
                modules.append(nn.BatchNorm1d(n_out, dtype=torch.float32))
            modules.append(activation())
            if w.dropout:
                modules.append(nn.Dropout(w.dropout))
        self.model = nn.Sequential(*modules, nn.Linear(w.sizes[-2], w.sizes[-1], dtype=torch.float32))
        self.x, self.y, self.steps = torch.from_numpy(self.images), torch.from_numpy(self.labels), 0
        weights, rest = ([p for p in self.model.parameters() if (p.ndim == 2) == matrix] for matrix in (True, False))
        groups = [{"params": weights, "weight_decay": w.weight_decay}, {"params": rest, "weight_decay": 0.0}]
        if w.optimizer in ("adam", "adamw"):
            kind = torch.optim.Adam if w.optimizer == "adam" else torch.optim.AdamW
            self.optimizer = kind(groups, lr=w.learning_rate, fused=self.fused)
        else:
            momentum = dict(momentum=w.momentum, nesterov=True) if w.optimizer == "nesterov" else {}
            self.optimizer = torch.optim.SGD(groups, lr=w.learning_rate, fused=self.fused, **momentum)
        self.forward = self.model

    def step(self, x, y):
        """One step on a batch; returns its loss, without a graph behind it."""
        loss = self.objective(x, y)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.detach()

    def objective(self, x, y):
        smoothing = self.workload.label_smoothing
        return self.torch.nn.functional.cross_entropy(self.model(x), y, label_smoothing=smoothing)

    def batch(self, rows):
        """Images (B, 784) of these rows, every second one mirrored if that is asked for."""
        x = self.x[rows]
        if self.workload.augmentation == "none":
            return x
        chosen = self.torch.rand(len(x), 1) < 0.5
        return self.torch.where(chosen, x.view(-1, 28, 28).flip(2).view(-1, 784), x)

    def epoch(self):
        total, w = self.torch.zeros(()), self.workload
        batches = self.torch.randperm(len(self.y)).split(w.batch_size)
        for rows in batches:
            if w.schedule != "constant":
                for group in self.optimizer.param_groups:
                    group["lr"] = w.rate(self.steps, len(batches))
            total += self.step(self.batch(rows), self.y[rows]) * len(rows)
            self.steps += 1
        return total.item() / len(self.y)

    def predict(self, images):
        self.model.eval()
        with self.torch.inference_mode():
            classes = self.forward(self.torch.from_numpy(images)).argmax(dim=1).numpy()
        self.model.train()
        return classes


class TorchFused(Torch):
    """PyTorch, eager, its fused optimizer."""

    name, title, fused = "torch-fused", "PyTorch eager, fused", True


class TorchCompiled(TorchFused):
    """PyTorch, compiled in the way that was fastest: loss and gradients with the fused Adam, or the whole step of SGD.

    Compiling `loss.backward()`'s forward alone, or Adam with the rest, took longer. Where a network has statistics that
    run and masks, its loss is compiled as it is, and `backward` with it; masks are drawn as eager PyTorch does it.
    """

    name, title = "torch-compile", "torch.compile"

    def prepare(self):
        super().prepare()
        torch, w = self.torch, self.workload
        self.forward = torch.compile(self.model)
        if w.ingredients:
            torch._inductor.config.fallback_random = True
            self.objective = torch.compile(super().objective, dynamic=False)
            self.step = super().step
            return
        self.parameters = [p.data for p in self.model.parameters()]
        activation = {"tanh": torch.tanh, "relu": torch.relu, "sigmoid": torch.sigmoid}[w.activation]

        def objective(parameters, h, y):
            for k in range(0, len(parameters), 2):
                h = torch.nn.functional.linear(activation(h) if k else h, *parameters[k : k + 2])
            return torch.nn.functional.cross_entropy(h, y)

        gradient = torch.func.grad_and_value(objective)

        def descend(parameters, velocities, x, y):
            gradients, loss = gradient(parameters, x, y)
            for k, (p, u, g) in enumerate(zip(parameters, velocities, gradients, strict=True)):
                if k % 2 == 0:
                    g = g + w.weight_decay * p
                if w.optimizer == "nesterov":
                    u.mul_(w.momentum).add_(g)
                    g = g + w.momentum * u
                p.sub_(w.learning_rate * g)
            return loss

        self.velocities = [torch.zeros_like(p) for p in self.parameters]
        self.gradient, self.descend = (torch.compile(f, dynamic=False) for f in (gradient, descend))

    def step(self, x, y):
        with self.torch.no_grad():
            if self.workload.optimizer != "adam":
                return self.descend(self.parameters, self.velocities, x, y)
            gradients, loss = self.gradient(self.parameters, x, y)
        for p, g in zip(self.model.parameters(), gradients, strict=True):
            p.grad = g
        self.optimizer.step()
        return loss


class Jax(Peer):
    """JAX: a whole epoch is one compiled scan. It leaves out the last batch, which is smaller."""

    name, title = "jax", "JAX jit, whole epoch in scan"

    def prepare(self):
        import jax
        import jax.numpy as jnp
        from jax.example_libraries import optimizers

        w = self.workload
        activation = {
            "tanh": jnp.tanh, "relu": jax.nn.relu, "sigmoid": jax.nn.sigmoid, "gelu": jax.nn.gelu
        }[w.activation]  # fmt: skip
        per_epoch = len(self.labels) // w.batch_size

        @optimizers.optimizer  # of which there is none in the library
        def adamw():
            def update(t, g, state):
                theta, m, v = state
                m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
                step = m / (1 - 0.9 ** (t + 1)) / (jnp.sqrt(v / (1 - 0.999 ** (t + 1))) + 1e-8)
                decay = w.weight_decay * theta if theta.ndim == 2 else 0
                return theta - w.rate(t, per_epoch, jnp.cos) * (step + decay), m, v

            return lambda theta: (theta, jnp.zeros_like(theta), jnp.zeros_like(theta)), update, lambda state: state[0]

        start, update, get = {
            "adam": lambda: optimizers.adam(w.learning_rate),
            "adamw": adamw,
            "sgd": lambda: optimizers.sgd(w.learning_rate),
            "nesterov": lambda: optimizers.nesterov(w.learning_rate, w.momentum),
        }[w.optimizer]()
        l2 = 0.0 if w.optimizer == "adamw" else w.weight_decay

        def outputs(parameters, h, statistics, key=None):
            """a_L, and the statistics of each normalized layer, with a key, for training, those of the batch."""
            measured = []
            for k, (W, b, *gain) in enumerate(parameters[:-1]):
                h = h @ W
                if gain:
                    mean, variance = statistics[k] if key is None else (h.mean(axis=0), h.var(axis=0))
                    measured.append((mean, variance))
                    h = gain[0] * (h - mean) * jax.lax.rsqrt(variance + 1e-5)
                h = activation(h + b)
                if w.dropout and key is not None:
                    kept = jax.random.bernoulli(jax.random.fold_in(key, k), 1 - w.dropout, h.shape)
                    h = jnp.where(kept, h / (1 - w.dropout), 0)
            W, b = parameters[-1]
            return h @ W + b, measured

        def objective(parameters, x, y, key):
            a, measured = outputs(parameters, x, None, key)
            scores = jax.nn.log_softmax(a)
            loss = -jnp.take_along_axis(scores, y[:, None], axis=1).mean()
            smooth = w.label_smoothing
            return (1 - smooth) * loss - smooth * scores.mean() if smooth else loss, measured

        def mirrored(x, key):
            chosen = jax.random.bernoulli(key, 0.5, (len(x), 1))
            return jnp.where(chosen, x.reshape(-1, 28, 28)[:, :, ::-1].reshape(x.shape), x)

        def train(t, state, statistics, images, labels, order):
            def step(carry, rows):
                t, state, statistics = carry
                parameters, x, key = get(state), images[rows], jax.random.fold_in(self.key, t)
                if w.augmentation == "mirror":
                    x = mirrored(x, jax.random.fold_in(key, w.layers))
                descend = jax.value_and_grad(objective, has_aux=True)
                (loss, measured), gradients = descend(parameters, x, labels[rows], key)
                pairs = zip(gradients, parameters, strict=True)
                gradients = [(dW + l2 * W, *rest) for (dW, *rest), (W, *_) in pairs]
                unbiased = w.batch_size / (w.batch_size - 1)
                measured = [(mean, variance * unbiased) for mean, variance in measured]
                statistics = jax.tree.map(lambda old, new: 0.9 * old + 0.1 * new, statistics, measured)
                return (t + 1, update(t, gradients, state), statistics), loss

            carry, losses = jax.lax.scan(step, (t, state, statistics), order)
            return *carry, losses.mean()

        self.key = jax.random.key(0, impl="unsafe_rbg")  # the fastest source of random numbers there is for dropout
        self.train = jax.jit(train, donate_argnums=(1, 2))
        self.classify = jax.jit(lambda state, statistics, x: outputs(get(state), x, statistics)[0].argmax(axis=1))
        parameters = [(jnp.asarray(W), jnp.asarray(b)) for W, b in self.initial()]
        self.statistics = []
        if w.normalization == "batch":
            parameters[:-1] = [(W, b, jnp.ones_like(b)) for W, b in parameters[:-1]]
            self.statistics = [(jnp.zeros_like(b), jnp.ones_like(b)) for _, b, _ in parameters[:-1]]
        self.state = start(parameters)
        self.t = jnp.zeros((), int)
        self.x, self.y = jnp.asarray(self.images), jnp.asarray(self.labels)

    def epoch(self):
        size = self.workload.batch_size
        order = self.rng.permutation(len(self.labels))[: len(self.labels) // size * size].reshape(-1, size)
        carry = self.t, self.state, self.statistics
        self.t, self.state, self.statistics, loss = self.train(*carry, self.x, self.y, order)
        return float(loss)

    def predict(self, images):
        return np.asarray(self.classify(self.state, self.statistics, images))


PEERS = {p.name: p for p in (Gemm, Symbols, Numpy, Numba, Jax, TorchCompiled, TorchFused, Torch, ScikitLearn, Course)}
