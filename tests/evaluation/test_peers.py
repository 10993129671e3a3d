"""scikit-learn's MLPClassifier is given what our network is given, and what it finds is carried over."""

import os
import signal
import sys
import time

import numpy as np
import psutil
import pytest
from sklearn.neural_network import MLPClassifier

from lab.evaluation import peers
from nn_core import NeuralNetwork

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (60, 8), np.uint8)
IMAGES = PIXELS / 255
LABELS = np.arange(60) % 3
CONFIG = dict(
    layers=2, num_hidden_neurons=6, batch_size=60, max_epochs=3, weight_decay=0.3, learning_rate=0.1, seed=4,
    inputs=8, classes=3, dtype="float64",
)  # fmt: skip


@pytest.mark.parametrize("activation", ["tanh", "ReLU", "identity"])
@pytest.mark.parametrize(
    "settings",
    [
        dict(optimizer="sgd"),
        dict(optimizer="mgd"),
        dict(optimizer="MGD", momentum=0.7),
        dict(optimizer="nag", momentum=0.8),
        dict(optimizer="adam", epsilon=1e-12),
        dict(optimizer="adam", epsilon=1e-12, beta1=0.7, beta2=0.9),
    ],
)
def test_it_takes_the_very_steps_that_ours_takes(activation, settings):
    """From its initial weights (those after a step too small to matter), in whole batches: no order of images matters.

    It adds Adam's ε before the bias correction and not after, so that ε has to be small here.
    """
    config = CONFIG | settings | {"activation": activation}
    ours = peers.fit(config | {"learning_rate": 1e-12, "max_epochs": 1}, IMAGES, LABELS)
    start = NeuralNetwork(**config)
    start.theta[:] = ours.theta
    list(start.train((IMAGES, LABELS)))
    theirs = peers.fit(config, IMAGES, LABELS)
    np.testing.assert_allclose(theirs.theta, start.theta, atol=1e-4 if settings["optimizer"] == "adam" else 1e-9)
    assert abs(theirs.theta - ours.theta).max() > 0.01


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_the_network_says_what_scikit_learn_says_of_pixels_scaled_to_one():
    oracle = MLPClassifier(**peers.translate(CONFIG)).fit(IMAGES.astype(np.float32), LABELS)
    net = peers.fit(CONFIG | {"dtype": "float32"}, PIXELS, LABELS)
    np.testing.assert_allclose(net.predict_proba(PIXELS), oracle.predict_proba(IMAGES), atol=1e-5)


@pytest.mark.parametrize(
    ("key", "value"),
    [("optimizer", "rmsprop"), ("activation", "sigmoid"), ("initializer", "he"), ("loss", "squared_error")],
)
def test_what_it_does_not_have_is_refused(key, value):
    with pytest.raises(ValueError, match=f"{key}='{value}': scikit-learn's MLPClassifier has only "):
        peers.translate({key: value})


def test_it_trains_all_the_epochs_that_it_is_given():
    """Left to itself, it would stop after ten epochs without progress, and a tiny rate makes none."""
    config = CONFIG | {"learning_rate": 1e-9, "max_epochs": 25, "optimizer": "sgd"}
    with pytest.warns(match="Maximum iterations"):
        assert MLPClassifier(**peers.translate(config)).fit(IMAGES, LABELS).n_iter_ == 25


def test_an_interrupted_training_is_no_result(monkeypatch):
    """MLPClassifier swallows the interrupt and returns as if nothing had been."""

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(MLPClassifier, "_update_no_improvement_count", interrupt)
    with pytest.warns(match="interrupted"), pytest.raises(KeyboardInterrupt):
        peers.fit(CONFIG, IMAGES, LABELS)


def test_a_class_without_an_example_is_refused():
    with pytest.raises(ValueError, match="60 labels of 2 classes: expected 3"):
        peers.fit(CONFIG, IMAGES, LABELS % 2)


@pytest.mark.kernel
@pytest.mark.parametrize("how", ["kill", "interrupt"])
def test_workers_end_with_their_parent(how, tmp_path):
    """Two trainings that take minutes; when their parent has gone, so have they."""
    code = "from lab.evaluation import peers; peers.networks(dict(max_epochs=100), [1, 2])"
    env = os.environ | {"FASHION_RUNS": str(tmp_path)}
    parent = psutil.Popen([sys.executable, "-c", code], env=env)
    try:
        workers = wait_for(lambda: [p for p in parent.children() if "popen_loky" in " ".join(p.cmdline())], 2)
    finally:
        parent.send_signal({"kill": signal.SIGKILL, "interrupt": signal.SIGINT}[how])
        parent.wait(60)
    _, alive = psutil.wait_procs(workers, timeout=60)
    assert alive == []


def wait_for(find, n, seconds=60):
    deadline = time.monotonic() + seconds
    while len(there := find()) < n:
        assert time.monotonic() < deadline, f"{len(there)} of {n} after {seconds} s"
        time.sleep(0.1)
    return there


@pytest.mark.kernel
def test_peers_are_trained_once_and_kept(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("FASHION_RUNS", str(tmp_path))
    config = dict(max_epochs=1, layers=1, num_hidden_neurons=8)
    first = peers.networks(config, [1, 2], limit=300)
    assert capsys.readouterr().out.count("scikit-learn with seed") == 2
    again = peers.networks(config, [2, 1], limit=300)
    assert capsys.readouterr().out == ""
    assert [net.config["seed"] for net in again] == [2, 1]
    assert np.array_equal(first[0].theta, again[1].theta)
    assert not np.array_equal(first[0].theta, first[1].theta)
