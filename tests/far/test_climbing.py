"""`make far`: what it trains, in what order, and what it keeps."""

import numpy as np
import pandas as pd
import pytest

import fashion_mnist
from far_kit import whole_table
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
    monkeypatch.setattr(final, "FILE", tmp_path / "kept.npz")
    monkeypatch.setattr(growing, "run_configurations", train)
    return asked


def test_it_goes_on_from_the_table_and_trains_in_order_and_nothing_twice(trained, tmp_path):
    """First the short sweep, then the ladder, then the long sweep, and on everything the start and the best of that."""
    path = tmp_path / "how_far.csv.xz"
    for _ in range(3):
        climbing.compute(path, slices=2)
    climbing.compute(path)
    short, ladder, long = scouting.recipes(scouting.SHORT), [*Ladder().trainings()], scouting.recipes(scouting.LONG)
    recipe = {name: value for name, value in long[-1].items() if name != "seed"}  # the last was the best
    finals = [one | {"seed": k, "validation_fraction": 0} for one in (Ladder().start, recipe) for k in range(1, 6)]
    once = {records.key(config): config for config in [*short, *ladder, *long, *finals]}
    assert trained == list(once.values())
    assert len(once) < len(short + ladder + long + finals)  # the whole without its last rung is the rung before
    assert len(pd.read_csv(path)) == 2 * len(trained)


def test_what_a_run_leaves_is_given_away_before_it_goes_and_before_it_counts_as_done(trained, tmp_path):
    """So that a kill in between loses nothing."""
    path, seen = tmp_path / "how_far.csv.xz", []

    def keep(config, folder):
        seen.append((config, folder.exists(), path.exists()))

    growing.grow(path, records.KEYS, climbing.lacking, "far", 2, slices=1, timeout=1, keep=keep)
    assert seen == [(config, True, False) for config in trained]
    assert path.exists()
    assert list((tmp_path / "far").iterdir()) == []


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


@pytest.mark.parametrize("augmentation", ["none", "shift", "mirror", ["shift", "mirror"]])
def test_a_winner_keeps_its_weights_and_what_it_says_of_the_test_images(augmentation, runs):
    """Of an image and its mirror image the mean, if it was trained with those."""
    folder, images = runs
    recipe = TINY | {"augmentation": augmentation}
    nets = {seed: finish(folder / f"run {seed}", **recipe, seed=seed) for seed in (2, 1)}
    for seed in nets:
        climbing.keep(recipe | {"seed": seed, "validation_fraction": 0}, folder / f"run {seed}")
    recipes, kept = final.load(final.FILE)
    assert recipes == {"winner": records.key(recipe)}
    assert kept.keys() == {"winner"}
    for seed, net in nets.items():
        expected = net.predict_proba(images)
        if "mirror" in augmentation:
            mirrors = images.reshape(-1, 28, 28)[:, :, ::-1].reshape(-1, 784)
            expected = (expected + net.predict_proba(mirrors)) / 2
        np.testing.assert_allclose(kept["winner"][seed], expected, atol=1 / 65535)
        copy = NeuralNetwork.load(folder / f"how_far_{seed}.npz")
        np.testing.assert_array_equal(copy.theta, net.theta)


def test_the_start_of_the_ladder_is_kept_beside_the_winner_and_called_so(runs):
    folder, _ = runs
    start = Ladder().start
    finish(folder / "run", **start)
    for recipe in (TINY, start):
        climbing.keep(recipe | {"seed": 3, "validation_fraction": 0}, folder / "run")
    recipes, kept = final.load(final.FILE)
    assert recipes == {"winner": records.key(TINY), "start": records.key(start)}
    assert {who: list(seeds) for who, seeds in kept.items()} == {"winner": [3], "start": [3]}


def test_what_has_validation_images_never_sees_those_of_the_test(runs):
    folder, _ = runs
    finish(folder / "run", **TINY)
    climbing.keep(TINY | {"seed": 0}, folder / "run")
    assert final.load(final.FILE) == ({}, {})


def test_a_winner_that_diverged_is_left_out(runs):
    folder, _ = runs
    climbing.keep(TINY | {"seed": 1, "validation_fraction": 0}, folder / "run")
    assert final.load(final.FILE) == ({}, {})


def test_a_second_recipe_is_not_shown_the_test_images(runs):
    folder, _ = runs
    finish(folder / "run", **TINY)
    climbing.keep(TINY | {"seed": 1, "validation_fraction": 0}, folder / "run")
    with pytest.raises(ValueError, match=r"kept\.npz: another recipe has seen the test images as winner"):
        climbing.keep(TINY | {"seed": 1, "layers": 1, "validation_fraction": 0}, folder / "run")


def test_nor_is_it_trained_for_them(runs):
    """Once the sweep has another winner than the one that has seen them."""
    final.write(final.FILE, {"winner": records.key(TINY)}, {})
    table = whole_table(np.random.default_rng(0), finals=False)
    with pytest.raises(ValueError, match="another recipe has seen the test images as winner"):
        list(climbing.lacking(table))
