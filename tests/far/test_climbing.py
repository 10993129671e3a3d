"""`make far`: what it trains, in what order, and what it keeps."""

import numpy as np
import pandas as pd
import pytest

import fashion_mnist
from lab.far import climbing, final, records, scouting
from lab.far.ladder import Ladder
from lab.tabular import growing
from nn_core import NeuralNetwork
from table_kit import epochs, record

TINY = {"layers": 0, "max_epochs": 1}


@pytest.fixture
def trained(tmp_path, monkeypatch):
    """The configurations that are trained, by something that trains nothing; the later, the better."""
    asked = []

    def train(configs, sweep, workers, timeout):
        asked.extend(configs)
        records = [record(config, epochs(2, len(asked) / 1000)) for config in configs]
        for one, config in zip(records, configs, strict=True):
            one["name"] = f"run {asked.index(config)}"
            (tmp_path / sweep / one["name"]).mkdir(parents=True)
        return records

    monkeypatch.setenv("FASHION_RUNS", str(tmp_path))
    monkeypatch.setattr(growing, "run_configurations", train)
    return asked


def test_it_goes_on_from_the_table_and_trains_in_order_and_nothing_twice(trained, tmp_path):
    """First the short sweep, then the ladder, then the long sweep, and its best with the seeds of a winner."""
    path = tmp_path / "how_far.csv.xz"
    for _ in range(3):
        climbing.compute(path, slices=2)
    climbing.compute(path)
    short, ladder, long = scouting.recipes(scouting.SHORT), [*Ladder().trainings()], scouting.recipes(scouting.LONG)
    recipe = {name: value for name, value in long[-1].items() if name != "seed"}  # the last was the best
    winners = [recipe | {"seed": seed, "validation_fraction": 0} for seed in (1, 2, 3, 4, 5)]
    once = {records.key(config): config for config in [*short, *ladder, *long, *winners]}
    assert trained == list(once.values())
    assert len(once) < len(short + ladder + long + winners)  # the whole without its last rung is the rung before
    assert len(pd.read_csv(path)) == 2 * len(trained)


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """A folder of runs, a place for what is kept, and images that stand for those of the test."""
    images = np.random.default_rng(0).integers(0, 256, (30, 784), dtype=np.uint8)
    part = fashion_mnist.Split(images, np.zeros(30, np.uint8))
    monkeypatch.setattr(fashion_mnist, "load", lambda: type("Data", (), {"test": part}))
    monkeypatch.setattr(final, "FILE", tmp_path / "kept.npz")
    monkeypatch.setenv("FASHION_RUNS", str(tmp_path))
    return tmp_path, images


def finish(folder, **config):
    """Leave the weights of a training in a run's folder."""
    folder.mkdir()
    net = NeuralNetwork(**config)
    net.save(folder / "weights.npz")
    return net


def test_a_winner_keeps_its_weights_and_what_it_says_of_the_test_images(runs):
    folder, images = runs
    nets = {seed: finish(folder / f"run {seed}", **TINY, seed=seed) for seed in (2, 1)}
    for seed in nets:
        climbing.keep(TINY | {"seed": seed, "validation_fraction": 0}, folder / f"run {seed}")
    recipe, kept = final.load(final.FILE)
    assert recipe == records.key(TINY)
    for seed, net in nets.items():
        mirrors = images.reshape(-1, 28, 28)[:, :, ::-1].reshape(-1, 784)
        expected = (net.predict_proba(images) + net.predict_proba(mirrors)) / 2
        np.testing.assert_allclose(kept[seed], expected, atol=1 / 65535)
        copy = NeuralNetwork.load(folder / f"how_far_{seed}.npz")
        np.testing.assert_array_equal(copy.theta, net.theta)


def test_what_has_validation_images_never_sees_those_of_the_test(runs):
    folder, _ = runs
    finish(folder / "run", **TINY)
    climbing.keep(TINY | {"seed": 0}, folder / "run")
    assert final.load(final.FILE) == ("", {})


def test_a_winner_that_diverged_is_left_out(runs):
    folder, _ = runs
    climbing.keep(TINY | {"seed": 1, "validation_fraction": 0}, folder / "run")
    assert final.load(final.FILE) == ("", {})


def test_a_second_recipe_is_not_shown_the_test_images(runs):
    folder, _ = runs
    finish(folder / "run", **TINY)
    final.read(TINY, 1, folder / "run" / "weights.npz", final.FILE)
    with pytest.raises(
        ValueError, match=r"kept\.npz: another recipe has seen the test images, which are for one alone"
    ):
        final.read(TINY | {"layers": 1}, 1, folder / "run" / "weights.npz", final.FILE)
