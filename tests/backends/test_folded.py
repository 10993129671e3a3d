"""The optimizers' folded forms against the written ones, which have oracles of their own."""

import numpy as np
import pytest

from backends import folded
from backends.folded import FOLDED
from nn_core import NeuralNetwork
from optimizers import Adam

SETTINGS = dict(learning_rate=0.01, beta1=0.8, beta2=0.95, epsilon=1e-3)
each_folded = pytest.mark.parametrize("written", FOLDED, ids=lambda kind: kind.__name__)


@each_folded
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-13), ("float32", 3e-6)])
def test_a_thousand_steps_beside_the_written_form(written, dtype, tolerance):
    """θ, and m and v as the paper has them; the written form in float64."""
    settings = SETTINGS | ({"weight_decay": 0.02} if "weight_decay" in written.setting_names() else {})
    rng = np.random.default_rng(6)
    start = rng.normal(size=200)
    thetas = [start.copy(), start.astype(dtype)]
    pair = [written(**settings), FOLDED[written](**settings)]
    for optimizer, theta in zip(pair, thetas, strict=True):
        optimizer.prepare(theta, slice(150))
    for _ in range(1000):
        gradient = rng.normal(0.2, 1, start.shape).astype(dtype)
        for optimizer, theta in zip(pair, thetas, strict=True):
            optimizer.step(theta, gradient.astype(theta.dtype), loss=1.0)
    for exact, found in (thetas, *((getattr(o, name) for o in pair) for name in ("m", "v"))):
        assert np.linalg.norm(exact - found) < tolerance * np.linalg.norm(exact)
    assert pair[0].t == pair[1].t == 1000


@each_folded
def test_it_prints_as_what_it_is_written_as(written):
    assert repr(FOLDED[written](**SETTINGS)) == repr(written(**SETTINGS))
    assert issubclass(FOLDED[written], written)


def test_a_network_takes_it_for_what_is_listed_and_not_for_what_derives_from_it(monkeypatch):
    class Other(Adam):
        pass

    monkeypatch.setitem(NeuralNetwork.OPTIMIZERS, "other", Other)
    assert type(NeuralNetwork(optimizer="adam").optimizer) is FOLDED[Adam]
    assert type(NeuralNetwork(optimizer="other").optimizer) is Other


@each_folded
@pytest.mark.parametrize("decayed", [1, 16, 40, 100])
def test_blocks_are_one_step_of_the_whole(written, decayed, monkeypatch):
    """To the bit, wherever the weights that decay end."""
    rng = np.random.default_rng(1)
    start, gradients = rng.normal(size=100).astype("f4"), rng.normal(size=(20, 100)).astype("f4")
    settings = SETTINGS | ({"weight_decay": 0.2} if "weight_decay" in written.setting_names() else {})
    thetas = []
    for size in (100, 16):
        monkeypatch.setattr(folded, "BLOCK", size)
        optimizer, theta = FOLDED[written](**settings), start.copy()
        optimizer.prepare(theta, slice(decayed))
        for gradient in gradients:
            optimizer.step(theta, gradient, loss=1.0)
        thetas.append(theta)
    assert np.array_equal(*thetas)
