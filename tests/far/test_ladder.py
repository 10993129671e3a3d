"""The ladder: what its rungs, the whole without each of them, and the whole with one thing besides are."""

import pytest

from lab.execution.notebook import TRAINING, Notebook
from lab.far.ladder import SEEDS, Ladder
from nn_core import NeuralNetwork

SMALL = """
start: {layers: 1, max_epochs: 2, dropout: 0}
rungs:
  deep: {layers: 3}
  long: {max_epochs: 9}
  longer, dropped out: {max_epochs: 20, dropout: 0.5}
besides:
  deeper: {layers: 4}
"""
WHOLE = {"layers": 3, "max_epochs": 20, "dropout": 0.5}


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
        "longer, dropped out": WHOLE,
    }


def test_without_a_rung_the_others_stay(small):
    assert small.without() == {
        "deep": {"layers": 1, "max_epochs": 20, "dropout": 0.5},
        "long": {"layers": 3, "max_epochs": 20, "dropout": 0.5},
        "longer, dropped out": {"layers": 3, "max_epochs": 9, "dropout": 0},
    }


def test_what_is_besides_is_added_to_the_whole_alone(small):
    assert small.besides() == {"deeper": {"layers": 4, "max_epochs": 20, "dropout": 0.5}}


def test_it_is_climbed_before_anything_is_taken_away_and_seed_by_seed(small):
    rungs, changes = list(small.rungs().values()), [WHOLE, *small.without().values(), *small.besides().values()]
    parts = [rungs] * len(SEEDS) + [changes] * len(SEEDS)
    expected = [config | {"seed": seed} for part, seed in zip(parts, SEEDS * 2, strict=True) for config in part]
    assert list(small.trainings()) == expected


def test_what_the_whole_is_compared_with_says_what_it_is(small):
    assert list(small.changes()) == [
        "the whole",
        "without deep",
        "without long",
        "without longer, dropped out",
        "with deeper",
    ]


def test_its_own_file_is_in_the_words_of_the_notebook_and_of_the_network():
    training = Notebook(TRAINING)
    for config in Ladder().trainings():
        training.check({name: [value] for name, value in config.items()})
        training.check_names({name: [value] for name, value in config.items()})
        NeuralNetwork(**config | {"num_hidden_neurons": 1}, inputs=4)


def test_a_file_that_is_none_is_refused(tmp_path):
    path = tmp_path / "ladder.yaml"
    path.write_text("start: {}\nsteps: {}\n")
    with pytest.raises(ValueError, match=r"ladder\.yaml: expected .* under the keys start, rungs, besides"):
        Ladder(path)
