"""The gradients of networks with ingredients, any of them together: by central differences, in float64."""

import copy

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from activations import ACTIVATIONS
from ingredients_kit import INGREDIENTS, each_ingredient, examples, network
from losses import LOSSES

STENCIL = {-2: 1 / 12, -1: -2 / 3, 1: 2 / 3, 2: -1 / 12}  # central differences whose error is of order step⁴


def slope(net, direction, images, labels):
    """The loss's derivative along a direction, by differences of two widths; None if they tell of a kink between."""
    slopes = []
    for step in (2e-4, 1e-4):
        total = 0.0
        for steps, coefficient in STENCIL.items():
            moved = copy.deepcopy(net)  # draws what net would draw
            moved.theta[...] += steps * step * direction
            total += coefficient * moved.backpropagate(images, labels)
        slopes.append(total / step)
    return slopes[1] if slopes[0] == pytest.approx(slopes[1], rel=1e-8, abs=1e-10) else None


def blocks(net):
    return [net.theta, *net.weights.values(), *net.biases.values(), *net.gains.values()]


def directions(net, block, rng, most=20):
    """Random unit vectors of theta's shape, within a view into theta."""
    marked = copy.deepcopy(net)
    for _ in range(most):
        marked.theta[...] = 0
        view = next(one for one, same in zip(blocks(marked), blocks(net), strict=True) if same is block)
        view[...] = rng.normal(size=view.shape)
        yield marked.theta / np.linalg.norm(marked.theta)


def unsettled(net):
    """The network with biases and gains that are not all alike, as after some training."""
    rng = np.random.default_rng(3)
    for b in net.biases.values():
        b[...] = rng.normal(0, 0.1, b.shape)
    for gain in net.gains.values():
        gain[...] = rng.uniform(0.5, 2, gain.shape)
    return net


def agrees(net, block, images, labels, gradient):
    """Whether the gradient within a block of theta is that of differences; None if each direction has a kink."""
    for direction in directions(net, block, np.random.default_rng(8)):
        if (derivative := slope(net, direction, images, labels)) is not None:
            return gradient @ direction == pytest.approx(derivative, rel=1e-7, abs=1e-9)
    return None


@pytest.mark.parametrize("activation", ["gelu", "relu"])
@each_ingredient
def test_gradient_by_finite_differences(name, activation):
    """In each W_k, b_k and γ_k, so that none hides behind another."""
    net = unsettled(network(**INGREDIENTS[name], activation=activation, layers=3, weight_decay=0.05, dtype="float64"))
    images, labels = examples(8)
    drawn = copy.deepcopy(net)
    loss = drawn.backpropagate(images, labels)
    assert loss == copy.deepcopy(net).backpropagate(images, labels)
    for number, block in enumerate(blocks(net)):
        assert agrees(net, block, images, labels, drawn.gradient), number


combinations = st.fixed_dictionaries(
    {
        "activation": st.sampled_from(list(ACTIVATIONS)),
        "loss": st.sampled_from(list(LOSSES)),
        "normalization": st.sampled_from(["none", "batch", "layer"]),
        "dropout": st.sampled_from([0.0, 0.3]),
        "input_dropout": st.sampled_from([0.0, 0.2]),
        "label_smoothing": st.sampled_from([0.0, 0.1]),
        "mixup": st.sampled_from([0.0, 0.5]),
        "augmentation": st.sampled_from(["none", "shift", ["mirror", "erase"], ["mirror", "shift", "erase"]]),
        "layers": st.integers(0, 3),
        "num_hidden_neurons": st.integers(1, 7),
        "weight_decay": st.sampled_from([0.0, 0.05]),
        "seed": st.integers(0, 2**32),
    }
)


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(combinations, st.integers(1, 9), st.sampled_from(["uint8", "float64"]))
def test_the_gradient_of_every_combination_is_that_of_differences(config, n, dtype):
    net = unsettled(network(**config, dtype="float64"))
    images, labels = examples(n, dtype)
    drawn = copy.deepcopy(net)
    drawn.backpropagate(images, labels)
    for block in (net.theta, *list(net.gains.values())[:1]):
        agreed = agrees(net, block, images, labels, drawn.gradient)
        assume(agreed is not None)
        assert agreed
