"""How many threads products of matrices use: chosen by size, or as asked, and as before afterwards."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from backends import threads
from nn_core import NeuralNetwork

ROOT = Path(threads.__file__).parents[1]
TRAIN = np.zeros((4, 784), np.uint8), np.zeros(4, int)


def in_use():
    return max(library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas")


@pytest.fixture
def four(monkeypatch):
    """A machine of four cores, as far as the choice goes."""
    monkeypatch.setattr(threads, "allowed", lambda: 4)


@pytest.mark.parametrize(
    ("layers", "width", "batch_size", "expected"),
    [(3, 128, 32, 1), (2, 64, 16, 1), (4, 128, 64, 1), (2, 512, 256, 4), (0, 1, 32, 1)],
    ids=["W1", "W2", "W3", "W4", "no layer"],
)
def test_only_large_products_get_more_than_one(four, layers, width, batch_size, expected):
    net = NeuralNetwork(layers=layers, num_hidden_neurons=width, batch_size=batch_size)
    assert net.threads == expected


def test_it_can_be_overridden(four):
    assert NeuralNetwork(threads=3).threads == 3
    assert NeuralNetwork(layers=2, num_hidden_neurons=512, batch_size=256, threads=1).threads == 1


@pytest.mark.parametrize("value", [0, -1, 1.5, "2", True])
def test_other_than_a_whole_number_is_refused(value):
    with pytest.raises(ValueError, match=r"^threads=.*: expected a whole number of at least 1\.$"):
        NeuralNetwork(threads=value)


def test_a_limit_holds_within_its_block():
    before = in_use()
    with threads.limit(before + 1):
        assert in_use() == before + 1 == threads.allowed()
    assert in_use() == before


def test_a_limit_beyond_what_blas_takes_is_none():
    before = threads.allowed()
    with threads.limit(2**70):
        assert threads.allowed() >= before
    assert threads.allowed() == before


def test_training_uses_them_and_who_drives_it_does_not(monkeypatch):
    before, seen = in_use(), []
    original = NeuralNetwork._train_epoch
    monkeypatch.setattr(NeuralNetwork, "_train_epoch", lambda *a: seen.append(in_use()) or original(*a))
    for _ in NeuralNetwork(threads=before + 1, max_epochs=2).train(TRAIN):
        assert in_use() == before
    assert seen == [before + 1] * 2


@pytest.mark.kernel
@pytest.mark.parametrize("allowed", ["1", "2"])
def test_the_environment_has_the_last_word_unless_asked(allowed):
    script = "from nn_core import NeuralNetwork as N; print(N(num_hidden_neurons=512, batch_size=512).threads)"
    environment = os.environ | {"OPENBLAS_NUM_THREADS": allowed}
    done = subprocess.run([sys.executable, "-c", script], env=environment, cwd=ROOT, capture_output=True, text=True)
    if os.cpu_count() >= int(allowed):
        assert done.stdout == f"{allowed}\n", done.stderr
