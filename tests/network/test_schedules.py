"""Schedules of the learning rate: by hand, and in training. `test_ingredients_pytorch.py` has PyTorch's."""

import itertools
import math

import numpy as np
import pytest

import nn_core
from ingredients.schedules import SCHEDULES
from ingredients_kit import each_backend, examples, network, watched, without_seconds

BY_HAND = {  # of eight steps; one_cycle's of ten, whose top is in step 0.3 · 10 - 1
    "constant": [1] * 8,
    "step": [1, 1, 1, 1, 0.1, 0.1, 0.01, 0.01],
    # ½ (1 + cos(π step / 8)): cos of 22.5°, 45° and 67.5° are ½√(2+√2), ½√2 and ½√(2-√2)
    "cosine": [
        0.5 + c / 2
        for c in (
            1, math.sqrt(2 + math.sqrt(2)) / 2, math.sqrt(2) / 2, math.sqrt(2 - math.sqrt(2)) / 2,
            0, -math.sqrt(2 - math.sqrt(2)) / 2, -math.sqrt(2) / 2, -math.sqrt(2 + math.sqrt(2)) / 2,
        )
    ],
    # up by half a cosine from 1/25 to 1 in two steps, down to 1/250000 in seven
    "one_cycle": [1 / 25, (1 / 25 + 1) / 2, 1]
    + [4e-6 + (1 - 4e-6) * (1 + math.cos(math.pi * k / 7)) / 2 for k in range(1, 7)] + [4e-6],
}  # fmt: skip


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules_by_hand(name):
    if name not in BY_HAND:
        pytest.skip(f"schedule {name!r} has no case worked out by hand: add one to BY_HAND")
    steps = len(BY_HAND[name])
    np.testing.assert_allclose([SCHEDULES[name](step, steps) for step in range(steps)], BY_HAND[name], rtol=1e-12)


@pytest.mark.parametrize("steps", [1, 2, 3, 5, 1000])
@pytest.mark.parametrize("name", SCHEDULES)
def test_a_factor_is_a_fraction(name, steps):
    assert all(0 < SCHEDULES[name](step, steps) <= 1 for step in range(steps))


def rates(max_epochs=None, **config):
    """The learning rate of each step of a training of three epochs, four steps each."""
    net, seen = watched(**config)
    list(net.train(examples(30), max_epochs=max_epochs))
    return [np.linalg.norm(after - before) / np.linalg.norm(gradient) for before, gradient, after in seen]


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("warmup", [0.0, 0.5, 1.5, 2.0])
def test_a_training_takes_its_steps_by_the_schedule(name, warmup):
    taken = rates(schedule=name, warmup=warmup)
    expected = [0.5 * SCHEDULES[name](step, 12) for step in range(12)]
    if warmup:
        expected = [rate * min(1, (step + 1) / (4 * warmup)) for step, rate in enumerate(expected)]
    np.testing.assert_allclose(taken, expected, rtol=1e-9)


def test_who_stops_early_has_had_the_same_rates():
    """Steps are counted by the configuration's epochs, not by those that a call of train is for."""
    whole = rates(schedule="cosine", warmup=0.5)
    assert rates(schedule="cosine", warmup=0.5, max_epochs=2) == whole[:8]


@pytest.mark.parametrize("name", SCHEDULES)
def test_epochs_beyond_the_configuration_s_are_trained_at_no_higher_rate(name):
    taken = rates(schedule=name, max_epochs=5)
    assert len(taken) == 20
    assert max(taken[12:]) <= taken[11] * (1 + 1e-9)


@each_backend
@pytest.mark.parametrize("optimizer", ["sgd", "adamw", "nadam", "rmsprop", "nesterov"])
def test_a_rate_that_does_not_change_trains_as_without_a_schedule(optimizer, backend):
    """Cosine's first step has factor 1: an epoch of one step is the one without, bit for bit."""
    config = {"optimizer": optimizer, "backend": backend, "batch_size": 30, "max_epochs": 1, "activation": "relu"}
    plain, cosine = network(**config), network(**config, schedule="COSINE")
    assert without_seconds(plain.train(examples())) == without_seconds(cosine.train(examples()))
    assert plain.theta.tobytes() == cosine.theta.tobytes()


@pytest.mark.parametrize("optimizer", ["sgd", "nesterov", "adamw", "nadam", "rmsprop"])
@pytest.mark.parametrize("name", SCHEDULES)
def test_steps_take_the_schedule_whole_or_not_and_however_many_at_a_time(name, optimizer, monkeypatch):
    """Images are read, and steps compiled, a chunk at a time; each chunk has to go on where the last one has ended."""
    config = {"optimizer": optimizer, "schedule": name, "warmup": 0.5, "batch_size": 1, "activation": "relu"}
    nets = []
    for backend, rows in itertools.product(("numpy", "auto"), (nn_core.CHUNK, 2)):
        monkeypatch.setattr(nn_core, "CHUNK", rows)
        nets.append(network(**config, backend=backend))
        list(nets[-1].train(examples(100)))
    assert nets[0].theta.tobytes() == nets[1].theta.tobytes()
    np.testing.assert_allclose(nets[2].theta, nets[0].theta, rtol=0, atol=1e-4)
    assert nets[2].theta.tobytes() == nets[3].theta.tobytes()
