"""The ladder: what its rungs and the whole without each of them are, and in what order it is climbed."""

import pandas as pd
import pytest

from lab.execution.notebook import TRAINING, Notebook
from lab.tabular import growing
from lab.tabular.ladder import SEEDS, Ladder
from nn_core import NeuralNetwork
from table_kit import epochs, record

SMALL = """
start: {layers: 1, max_epochs: 2, dropout: 0}
rungs:
  deep: {layers: 3}
  long: {max_epochs: 9}
  longer, dropped out: {max_epochs: 20, dropout: 0.5}
"""


@pytest.fixture
def small(tmp_path):
    path = tmp_path / "ladder.yaml"
    path.write_text(SMALL)
    return Ladder(path)


def test_a_rung_is_all_before_it_and_what_it_changes(small):
    assert small.rungs() == {
        "start": {"layers": 1, "max_epochs": 2, "dropout": 0},
        "deep": {"layers": 3, "max_epochs": 2, "dropout": 0},
        "long": {"layers": 3, "max_epochs": 9, "dropout": 0},
        "longer, dropped out": {"layers": 3, "max_epochs": 20, "dropout": 0.5},
    }


def test_without_a_rung_the_others_stay(small):
    assert small.without() == {
        "deep": {"layers": 1, "max_epochs": 20, "dropout": 0.5},
        "long": {"layers": 3, "max_epochs": 20, "dropout": 0.5},
        "longer, dropped out": {"layers": 3, "max_epochs": 9, "dropout": 0},
    }


def test_it_goes_on_from_the_table_and_trains_nothing_twice(small, tmp_path, monkeypatch):
    asked = []

    def train(configs, sweep, workers, timeout):
        asked.extend(configs)
        records = [record(config, epochs(2)) for config in configs]
        for one in records:
            (tmp_path / sweep / one["name"]).mkdir(parents=True)
        return records

    monkeypatch.setenv("FASHION_RUNS", str(tmp_path))
    monkeypatch.setattr(growing, "run_configurations", train)
    path = tmp_path / "ladder.csv.xz"
    for _ in range(3):
        growing.grow(path, ("part", "rung", "seed"), small.lacking, "ladder", 2, slices=2, timeout=1)
    growing.grow(path, ("part", "rung", "seed"), small.lacking, "ladder", 2, timeout=1)
    assert asked == [config for _, config in small.trainings()]
    assert len(pd.read_csv(path)) == 2 * len(asked) == 2 * (4 + 3) * len(SEEDS)


def test_its_own_file_is_in_the_words_of_the_notebook_and_of_the_network():
    training = Notebook(TRAINING)
    for _, config in Ladder().trainings():
        training.check({name: [value] for name, value in config.items()})
        training.check_names({name: [value] for name, value in config.items()})
        NeuralNetwork(**config | {"num_hidden_neurons": 1}, inputs=4)


def test_a_file_that_is_none_is_refused(tmp_path):
    path = tmp_path / "ladder.yaml"
    path.write_text("start: {}\nsteps: {}\n")
    with pytest.raises(ValueError, match=r"ladder\.yaml: expected a configuration `start` and changes to it, `rungs`"):
        Ladder(path)
