"""The contenders of the benchmark: the same training, written in each library as one who knows it would write it.

Each is a class `Peer(workload, images, labels)` with `epoch()`, which trains for one shuffled pass and returns its mean
loss, and `predict(images)`, the classes of images. Libraries are imported inside, so that each process holds one alone.
Where our own network does more, the others are spared it: their images are float32 in memory already, none counts how
often it is right, and only ours and scikit-learn's work out the L2 term of the loss, whose gradient all of them take.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy import ndarray

from backends import threads
from lab.evaluation import profiling


@dataclass(frozen=True)
class Workload:
    """A network and how it is trained; the input has 784 pixels, the output 10 classes."""

    layers: int
    num_hidden_neurons: int
    activation: str  # tanh, relu or sigmoid
    optimizer: str  # adam, sgd or nesterov
    batch_size: int
    weight_decay: float
    learning_rate: float = 1e-3
    momentum: float = 0.9  # of nesterov

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

        w = self.workload
        config = dict(
            layers=w.layers,
            num_hidden_neurons=w.num_hidden_neurons,
            activation=w.activation,
            optimizer=w.optimizer,
            batch_size=w.batch_size,
            learning_rate=w.learning_rate,
            weight_decay=w.weight_decay,
            momentum=w.momentum if w.optimizer == "nesterov" else None,
        )
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

    name, title = "course", "typical course NumPy"

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

    name, title = "sklearn", "scikit-learn"

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
        activation = {"tanh": nn.Tanh, "relu": nn.ReLU, "sigmoid": nn.Sigmoid}[w.activation]
        modules = []
        for n_in, n_out in zip(w.sizes, w.sizes[1:], strict=False):
            modules += [nn.Linear(n_in, n_out, dtype=torch.float32), activation()]
        self.model = nn.Sequential(*modules[:-1])
        self.x, self.y = torch.from_numpy(self.images), torch.from_numpy(self.labels)
        weights, biases = list(self.model.parameters())[::2], list(self.model.parameters())[1::2]
        groups = [{"params": weights, "weight_decay": w.weight_decay}, {"params": biases, "weight_decay": 0.0}]
        if w.optimizer == "adam":
            self.optimizer = torch.optim.Adam(groups, lr=w.learning_rate, fused=self.fused)
        else:
            momentum = dict(momentum=w.momentum, nesterov=True) if w.optimizer == "nesterov" else {}
            self.optimizer = torch.optim.SGD(groups, lr=w.learning_rate, fused=self.fused, **momentum)
        self.forward = self.model

    def step(self, x, y):
        """One step on a batch; returns its loss, without a graph behind it."""
        loss = self.torch.nn.functional.cross_entropy(self.model(x), y)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.detach()

    def epoch(self):
        total = self.torch.zeros(())
        for rows in self.torch.randperm(len(self.y)).split(self.workload.batch_size):
            total += self.step(self.x[rows], self.y[rows]) * len(rows)
        return total.item() / len(self.y)

    def predict(self, images):
        with self.torch.inference_mode():
            return self.forward(self.torch.from_numpy(images)).argmax(dim=1).numpy()


class TorchFused(Torch):
    """PyTorch, eager, its fused optimizer."""

    name, title, fused = "torch-fused", "PyTorch eager, fused", True


class TorchCompiled(TorchFused):
    """PyTorch, compiled in the way that was fastest: loss and gradients with the fused Adam, or the whole step of SGD.

    Compiling `loss.backward()`'s forward alone, or Adam with the rest, took longer.
    """

    name, title = "torch-compile", "torch.compile"

    def prepare(self):
        super().prepare()
        torch, w = self.torch, self.workload
        self.forward = torch.compile(self.model)
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
        activation = {"tanh": jnp.tanh, "relu": jax.nn.relu, "sigmoid": jax.nn.sigmoid}[w.activation]
        start, update, get = {
            "adam": lambda: optimizers.adam(w.learning_rate),
            "sgd": lambda: optimizers.sgd(w.learning_rate),
            "nesterov": lambda: optimizers.nesterov(w.learning_rate, w.momentum),
        }[w.optimizer]()

        def outputs(parameters, h):
            for W, b in parameters[:-1]:
                h = activation(h @ W + b)
            W, b = parameters[-1]
            return h @ W + b

        def objective(parameters, x, y):
            scores = jax.nn.log_softmax(outputs(parameters, x))
            return -jnp.take_along_axis(scores, y[:, None], axis=1).mean()

        def train(t, state, images, labels, order):
            def step(carry, rows):
                t, state = carry
                parameters = get(state)
                loss, gradients = jax.value_and_grad(objective)(parameters, images[rows], labels[rows])
                pairs = zip(gradients, parameters, strict=True)
                gradients = [(dW + w.weight_decay * W, db) for (dW, db), (W, _) in pairs]
                return (t + 1, update(t, gradients, state)), loss

            (t, state), losses = jax.lax.scan(step, (t, state), order)
            return t, state, losses.mean()

        self.train = jax.jit(train, donate_argnums=1)
        self.classify = jax.jit(lambda state, x: outputs(get(state), x).argmax(axis=1))
        self.state = start([(jnp.asarray(W), jnp.asarray(b)) for W, b in self.initial()])
        self.t = jnp.zeros((), int)
        self.x, self.y = jnp.asarray(self.images), jnp.asarray(self.labels)

    def epoch(self):
        size = self.workload.batch_size
        order = self.rng.permutation(len(self.labels))[: len(self.labels) // size * size].reshape(-1, size)
        self.t, self.state, loss = self.train(self.t, self.state, self.x, self.y, order)
        return float(loss)

    def predict(self, images):
        return np.asarray(self.classify(self.state, images))


PEERS = {p.name: p for p in (Gemm, Symbols, Numpy, Numba, Jax, TorchCompiled, TorchFused, Torch, ScikitLearn, Course)}
