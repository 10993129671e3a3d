"""What tests of the ingredients share: small networks, each ingredient of them, and a look at all that one draws."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pytest
from numpy import ndarray

from activations import ACTIVATIONS, Activation
from losses import LOSSES, Loss
from nn_core import NeuralNetwork
from optimizers import OPTIMIZERS, SGD

SIDE, CLASSES = 4, 3
INPUTS = SIDE * SIDE
INGREDIENTS = {
    "step": {"schedule": "step"},
    "cosine": {"schedule": "cosine"},
    "one_cycle": {"schedule": "one_cycle"},
    "warmup": {"warmup": 1.6},
    "dropout": {"dropout": 0.4},
    "input_dropout": {"input_dropout": 0.2},
    "label_smoothing": {"label_smoothing": 0.1},
    "mixup": {"mixup": 0.4},
    "batch": {"normalization": "batch"},
    "layer": {"normalization": "layer"},
    "mirror": {"augmentation": "mirror"},
    "shift": {"augmentation": "shift"},
    "erase": {"augmentation": "erase"},
    "exponential": {"averaging": "exponential"},
    "last": {"averaging": "last"},
    "all": {
        "schedule": "cosine", "warmup": 0.6, "dropout": 0.4, "input_dropout": 0.1, "label_smoothing": 0.1, "mixup": 0.4,
        "normalization": "batch", "augmentation": ["mirror", "shift", "erase"], "averaging": "exponential",
    },
    "all, the other way": {
        "schedule": "one_cycle", "dropout": 0.2, "input_dropout": 0.3, "label_smoothing": 0.2, "mixup": 1.0,
        "normalization": "layer", "augmentation": ["shift", "mirror"], "averaging": "last",
    },
}  # fmt: skip
each_ingredient = pytest.mark.parametrize("name", INGREDIENTS)
each_backend = pytest.mark.parametrize("backend", ["numpy", "auto"])  # "auto" is numba where it is installed


def network(**config) -> NeuralNetwork:
    """A small network: whatever is not given is small."""
    small = dict(inputs=INPUTS, classes=CLASSES, layers=2, num_hidden_neurons=7, batch_size=8, max_epochs=3)
    if isinstance(config.get("num_hidden_neurons"), list):
        del small["layers"]
    return NeuralNetwork(**small | config)


def examples(n: int = 30, dtype: str = "uint8", seed: int = 1) -> tuple[ndarray, ndarray]:
    """Square images, and labels that have to do with them."""
    rng = np.random.default_rng(seed)
    images, labels = rng.integers(0, 256, (n, INPUTS), np.uint8), rng.integers(0, CLASSES, n)
    images[np.arange(n), labels] = 255
    return (images if dtype == "uint8" else (images / 255).astype(dtype)), labels


def without_seconds(records):
    return [{k: v for k, v in record.items() if k != "seconds"} for record in records]


def one_sentence(error) -> str:
    """The text of a caught exception, which has to be a line that a person can read."""
    text = str(error.value)
    assert text
    assert "\n" not in text
    return text


# ---- what happens in training, seen from outside


class Watched(SGD):
    """Gradient descent that writes down θ and its gradient, before each step and after."""

    def step(self, theta, gradient, loss):
        before = theta.copy()
        super().step(theta, gradient, loss)
        self.seen.append((before, gradient.copy(), theta.copy()))


def watched(**config) -> tuple[NeuralNetwork, list]:
    """A network, and a list in which each step of its training will be: θ, the gradient, θ after it."""
    seen = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(OPTIMIZERS, "watched", type("Watched", (Watched,), {"seen": seen}))
        return network(**dict(optimizer="watched", dtype="float64", learning_rate=0.5) | config), seen


class Step(NamedTuple):
    """What one step of training was given."""

    x: ndarray  # (B, n_0), as it reaches the first layer
    y: ndarray  # (B, n), whose column j belongs to example j
    masks: Sequence[ndarray]  # of h_1 ... h_(L-1)


DRAWS = ("seed", "batch_size", "max_epochs", "inputs", "dropout", "input_dropout", "mixup", "augmentation")


def observe(config: dict, images: ndarray) -> list[Step]:
    """The steps of a network of this configuration.

    All that is drawn has a stream of its own, so a network of the same seed and widths draws the same whatever else it
    is. This one shows it: its weights are, and remain, identities, so that a_1 is x; its activation is 1 everywhere, so
    that a_(k+1) is the mask of h_k; and each example has a label of its own. Widths may not shrink from layer to layer.
    """
    steps, of_this_step = [], []

    def activation(a):
        of_this_step.append(a.copy())
        return np.ones_like(a)

    def loss(a, y):
        first, *rest = *of_this_step, a.copy()
        masks = [mask[:, :width] for mask, width in zip(rest, widths, strict=True)]
        steps.append(Step(first[:, : config["inputs"]], y.copy(), masks))
        of_this_step.clear()
        return 0.0, a

    widths = config["num_hidden_neurons"]
    config = {key: value for key, value in config.items() if key in DRAWS}
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(ACTIVATIONS, "ones", Activation(activation, lambda a, h: np.zeros_like(a)))
        patch.setitem(LOSSES, "seen", Loss(loss, lambda y_hat, y: np.zeros_like(y)))
        net = NeuralNetwork(
            **config, num_hidden_neurons=widths, classes=max(len(images), config["inputs"], *widths), activation="ones",
            loss="seen", optimizer="sgd", dtype="float64", backend="numpy",
        )  # fmt: skip
        for W in net.weights.values():
            assert len(W) >= W.shape[1], "a layer narrower than the one before it"
            W[...] = np.eye(*W.shape)
        list(net.train((images, np.arange(len(images)))))
    return [Step(x, y[:, : len(images)], masks) for x, y, masks in steps]
