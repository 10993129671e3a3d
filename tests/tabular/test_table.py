"""The table of every configuration: what it holds, in what order it grows, and what an interruption leaves of it."""

import itertools
import json

import numpy as np
import pandas as pd
import pytest

from lab.tabular import growing
from lab.tabular import table as tabular
from table_kit import epochs, record


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """In the place of training: notes what is asked for; accuracies follow from the number of neurons and the seed."""
    asked = []

    def train(configs, sweep, workers):
        asked.extend(configs)
        worth = [config["num_hidden_neurons"] * 6 + config["seed"] for config in configs]
        records = [record(config, epochs(10, k / 6000)) for config, k in zip(configs, worth, strict=True)]
        for one in records:
            (tmp_path / sweep / one["name"]).mkdir(parents=True)
        return records

    monkeypatch.setenv("FASHION_RUNS", str(tmp_path))
    monkeypatch.setattr(growing, "run_configurations", train)
    return asked


def test_the_space_is_the_grid_without_its_epochs():
    """An oracle of its own: the product of what design.md lists."""
    planned = {json.dumps(config, sort_keys=True) for config in tabular.trainings()}
    values = {
        "initializer": ["RANDOM", "XAVIER"],
        "layers": [2, 3, 4],
        "num_hidden_neurons": [32, 64, 128],
        "activation": ["RELU", "SIGMOID", "TANH"],
        "learning_rate": [0.001, 0.0001],
        "weight_decay": [0, 0.0005, 0.5],
        "optimizer": ["SGD", "MGD", "NAG", "RMSPROP", "ADAM"],
        "batch_size": [16, 32, 64],
    }
    every = (dict(zip(values, some, strict=True)) for some in itertools.product(*values.values()))
    assert planned == {json.dumps(config, sort_keys=True) for config in every}
    assert len(tabular.trainings()) == 4860


def test_what_was_interrupted_goes_on_from_the_table(runs, tmp_path):
    path, left = tmp_path / "tables" / "every.csv.xz", tmp_path / "every" / "of a larger slice"
    left.mkdir(parents=True)
    tabular.compute(path, slice_of=3, slices=2)
    tabular.compute(path, slice_of=4, slices=1)
    assert len({json.dumps(config, sort_keys=True) for config in runs}) == len(runs) == 10
    table = pd.read_csv(path)
    assert len(table) == 100
    assert list((tmp_path / "every").iterdir()) == [left]


def test_a_slice_that_fails_leaves_the_table_as_it_was(runs, tmp_path, monkeypatch):
    path = tmp_path / "every.csv.xz"
    tabular.compute(path, slice_of=2, slices=1)
    before = path.read_bytes()
    monkeypatch.setattr(growing, "write_whole", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        tabular.compute(path, slice_of=2, slices=1)
    assert path.read_bytes() == before
    assert (tmp_path / "every").exists()  # from which the slice is taken next time


def test_a_part_of_the_table_is_a_sample_of_the_space():
    first = list(itertools.islice(tabular.lacking(growing.empty([*tabular.keys(), "seed"])), 1000))
    assert {config["seed"] for config in first} == {0}
    assert np.mean([config["optimizer"] == "ADAM" for config in first]) == pytest.approx(1 / 5, abs=0.05)
    assert np.mean([config["weight_decay"] == 0.5 for config in first]) == pytest.approx(1 / 3, abs=0.06)


def test_more_seeds_are_for_the_best_tenth(runs):
    everything = tabular.trainings()
    done = [
        record(config | {"seed": seed}, epochs(10, config["num_hidden_neurons"] / 1000))
        for config in everything
        for seed in (0, 1, 2)
    ]
    more = list(tabular.lacking(tabular.rows(done)))
    assert len(more) == 2 * 486
    assert {(config["num_hidden_neurons"], config["seed"]) for config in more} == {(128, 3), (128, 4)}


def test_accuracies_are_the_shares_that_they_were(tmp_path):
    config = tabular.trainings()[7] | {"seed": 0}
    shares = np.arange(6001) / 6000
    history = [epochs(1, share)[0] | {"epoch": k} for k, share in enumerate(shares, 1)]
    tabular.write(tabular.rows([record(config, history)]), tmp_path / "t.csv.xz")
    table = tabular.load(tmp_path / "t.csv.xz")
    np.testing.assert_array_equal(table["validationaccuracy"], shares)
    assert (table["accuracy"] == 27001 / 54000).all()
    assert (table["loss"] == 1.2346).all()


def test_a_training_that_diverged_says_when(tmp_path):
    config = tabular.trainings()[0] | {"seed": 0}
    tabular.write(tabular.rows([record(config, epochs(3), "diverged")]), tmp_path / "t.csv.xz")
    table = tabular.load(tmp_path / "t.csv.xz")
    assert table["epoch"].tolist() == [1, 2, 3, 4]
    assert table["validationaccuracy"].isna().tolist() == [False, False, False, True]
    assert set(table["status"]) == {"diverged"}
    assert tuple(config.values()) not in {tuple(lacking.values()) for lacking in tabular.lacking(table)}


def test_the_file_does_not_depend_on_how_it_came_about(tmp_path):
    records = [record(config | {"seed": 0}, epochs(2)) for config in tabular.trainings()[:5]]
    tabular.write(tabular.rows(records), tmp_path / "one.csv.xz")
    tabular.write(tabular.load(tmp_path / "one.csv.xz").sample(frac=1, random_state=1), tmp_path / "other.csv.xz")
    assert (tmp_path / "one.csv.xz").read_bytes() == (tmp_path / "other.csv.xz").read_bytes()


def test_without_a_table_a_sentence_says_what_to_do(tmp_path):
    with pytest.raises(FileNotFoundError, match="make every"):
        tabular.load(tmp_path / "none.csv.xz")
