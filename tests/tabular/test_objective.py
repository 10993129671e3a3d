"""The table as a benchmark's objective, and ten of its rows trained again."""

import numpy as np
import pytest

from lab.tabular import table as tabular
from lab.tabular.objective import Benchmark
from table_kit import epochs, record

CONFIG = tabular.trainings()[100]


@pytest.fixture
def benchmark():
    """Two trainings: one that rises by a hundredth an epoch, one that diverges in its fourth."""
    rising = [epochs(1, k / 100)[0] | {"epoch": k, "seconds": k} for k in range(1, 11)]
    diverging = record(tabular.trainings()[101] | {"seed": 2}, epochs(3), "diverged")
    return Benchmark(tabular.rows([record(CONFIG | {"seed": 2}, rising), diverging]))


def test_it_answers_with_what_there_was_after_so_many_epochs(benchmark):
    answer = benchmark(CONFIG, epochs=5, seed=2)
    assert answer["validationaccuracy"] == 0.05
    assert answer["seconds"] == 1 + 2 + 3 + 4 + 5
    assert (answer["epochs"], answer["status"]) == (5, "finished")


def test_epochs_may_be_part_of_the_configuration(benchmark):
    assert benchmark(CONFIG | {"max_epochs": 5}, seed=2)["epochs"] == 5
    assert benchmark(CONFIG, seed=2)["epochs"] == 10


def test_names_count_without_regard_to_case(benchmark):
    small = {name: value.lower() if isinstance(value, str) else value for name, value in CONFIG.items()}
    assert benchmark(small, seed=2) == benchmark(CONFIG, seed=2)


def test_what_diverged_says_so_from_then_on(benchmark):
    other = tabular.trainings()[101]
    assert benchmark(other, epochs=3, seed=2)["status"] == "finished"
    answer = benchmark(other, epochs=10, seed=2)
    assert answer["status"] == "diverged"
    assert np.isnan(answer["validationaccuracy"])
    assert answer["seconds"] == pytest.approx(3 * 1.234)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"optimizer": "adamw"}, "optimizer='adamw' is not in the table: choose from SGD, MGD, NAG, RMSPROP, ADAM"),
        ({"layers": 5}, "layers=5 is not in the table: choose from 2, 3, 4"),
        ({"layer": 5}, "'layer' is not a parameter of the table: the nearest is 'layers'"),
    ],
)
def test_what_the_space_does_not_have_is_refused_by_name(benchmark, change, sentence):
    with pytest.raises(ValueError, match=sentence):
        benchmark(CONFIG | change, seed=2)


def test_what_is_not_there_yet_is_named(benchmark):
    with pytest.raises(LookupError, match="with seed 1"):
        benchmark(CONFIG, seed=1)
    with pytest.raises(ValueError, match="lacks optimizer"):
        benchmark({name: value for name, value in CONFIG.items() if name != "optimizer"}, seed=2)
    with pytest.raises(ValueError, match="epochs=11: expected a whole number from 1 to 10"):
        benchmark(CONFIG, epochs=11, seed=2)
