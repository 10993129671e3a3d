"""A peer to be measured by: what scikit-learn's MLPClassifier makes of a configuration of ours.

It trains by its own code, and its weights are then put into a network of ours, which computes the same probabilities
from them (a test compares). So peers are kept, loaded and evaluated like any other run.
"""

from __future__ import annotations

import os
import threading
import time
import warnings
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from joblib import Parallel, delayed, parallel_config
from numpy import ndarray
from threadpoolctl import threadpool_limits

import fashion_mnist
from lab.tracking import duration, run_name, runs_root
from nn_core import NeuralNetwork

SOLVERS = {
    "adam": {"solver": "adam"},
    "sgd": {"solver": "sgd", "momentum": 0.0},
    "mgd": {"solver": "sgd", "nesterovs_momentum": False},
    "nag": {"solver": "sgd"},
}
SETTINGS = {"beta1": "beta_1", "beta2": "beta_2", "epsilon": "epsilon", "momentum": "momentum"}
CHOICES = {  # what it has too; for sigmoid it draws the initial weights from another range
    "optimizer": SOLVERS,
    "activation": ("tanh", "relu", "identity"),
    "initializer": ("xavier",),
    "loss": ("cross_entropy",),
}


def translate(config: Mapping[str, Any]) -> dict[str, Any]:
    """The keywords of MLPClassifier for a configuration of ours; ValueError names what it does not have."""
    config = NeuralNetwork(**config).config  # with every default
    chosen, widths = {key: config[key].casefold() for key in CHOICES}, config["num_hidden_neurons"]
    for key, names in CHOICES.items():
        if chosen[key] not in names:
            raise ValueError(f"{key}={config[key]!r}: scikit-learn's MLPClassifier has only {', '.join(names)}.")
    return {
        "hidden_layer_sizes": tuple(widths) if isinstance(widths, list) else (widths,) * config["layers"],
        "activation": chosen["activation"],
        "alpha": config["weight_decay"] * config["batch_size"],  # its L2 term is ½ α Σ W² / B, ours ½ λ Σ W²
        "batch_size": config["batch_size"],
        "learning_rate_init": config["learning_rate"],
        "max_iter": config["max_epochs"],
        "n_iter_no_change": config["max_epochs"],  # it would stop by itself after so many epochs without progress
        "random_state": config["seed"],
        **SOLVERS[chosen["optimizer"]],
        **{theirs: config[ours] for ours, theirs in SETTINGS.items() if ours in config},
    }


def fit(config: Mapping[str, Any], images: ndarray, labels: ndarray) -> NeuralNetwork:
    """A network of ours with the weights that MLPClassifier finds; uint8 images are scaled to [0, 1], as ours are.

    Raises ValueError where not every class has an example, since MLPClassifier then leaves it out.
    """
    from sklearn.exceptions import ConvergenceWarning  # here: what merely loads a peer need not wait for the import
    from sklearn.neural_network import MLPClassifier

    if images.dtype == np.uint8:
        images = images / np.float32(255)
    with warnings.catch_warnings(action="ignore", category=ConvergenceWarning):  # it counts on more epochs
        peer = MLPClassifier(**translate(config)).fit(images, labels)
    if peer.n_iter_ < peer.max_iter:  # it swallows a Ctrl-C, and hands over what it has so far
        raise KeyboardInterrupt
    net = NeuralNetwork(**config)
    if len(peer.classes_) < net.config["classes"]:
        raise ValueError(f"{len(labels)} labels of {len(peer.classes_)} classes: expected {net.config['classes']}.")
    for k, (W, b) in enumerate(zip(peer.coefs_, peer.intercepts_, strict=True), start=1):
        net.weights[k][...], net.biases[k][...] = W.T, b
    return net


def networks(
    config: Mapping[str, Any], seeds: Sequence[int], *, limit: int | None = None, workers: int = 2
) -> list[NeuralNetwork]:
    """`fit` on all training images, or the first `limit`, once with each seed, so many at a time as there are workers.

    Each is kept below runs/baseline/, and trained only where it is not there yet; a line says when one is done.
    """
    configs = [dict(config) | {"seed": seed} for seed in seeds]
    paths = [_folder(config, limit) / "weights.npz" for config in configs]
    start = time.monotonic()
    jobs = [
        delayed(_train)(config, limit, path) for config, path in zip(configs, paths, strict=True) if not path.exists()
    ]
    with parallel_config("loky", initializer=_end_with, initargs=(os.getpid(),), idle_worker_timeout=10):
        trained = Parallel(workers, return_as="generator_unordered")(jobs)  # an error or a Ctrl-C ends them all
        for done, seed in enumerate(trained, start=1):
            spent = duration(time.monotonic() - start)
            print(f"{done} of {len(jobs)} · scikit-learn with seed {seed} · {spent}", flush=True)
    return [NeuralNetwork.load(path) for path in paths]


def _end_with(parent: int) -> None:
    """In a worker: end when the process that started it is gone, even if that was killed in the midst of a training."""

    def wait() -> None:
        try:
            psutil.Process(parent).wait()
        finally:
            os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def _train(config: Mapping[str, Any], limit: int | None, path: Path) -> int:
    """Train, keep, and return the seed."""
    images, labels = fashion_mnist.load().train.first(limit)
    with threadpool_limits(1):  # as in a sweep: several runs side by side share the cores best so
        net = fit(config, images, labels)
    path.parent.mkdir(parents=True, exist_ok=True)
    net.save(path)
    return config["seed"]


def _folder(config: Mapping[str, Any], limit: int | None) -> Path:
    return runs_root() / "baseline" / run_name(dict(config) | {"limit": limit, "sklearn": version("scikit-learn")})
