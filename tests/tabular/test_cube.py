"""The table as an array."""

import numpy as np
import pytest

from lab.tabular import cube as cubes
from lab.tabular import table as tabular
from table_kit import epochs, record


@pytest.fixture(scope="module")
def some():
    """Three trainings with seeds 0 and 2; one of them diverges in epoch 4 with seed 2, one lacks seed 0."""
    trainings = tabular.trainings()
    runs = [(5, 0), (5, 2), (4859, 0), (77, 2)]
    records = [record(trainings[k] | {"seed": seed}, _rising(k, seed)) for k, seed in runs]
    return cubes.cube(tabular.rows([*records, record(trainings[4859] | {"seed": 2}, _rising(3, 0)[:3], "diverged")]))


def _rising(k, seed):
    return [epochs(1, (k + 10 * seed + e) / 6000)[0] | {"epoch": e} for e in range(1, 11)]


def test_each_accuracy_stands_where_its_training_does(some):
    assert some.seeds == (0, 2)
    assert some.accuracy.shape == (4860, 2, 10)
    assert some.accuracy[5, 1, 6] == pytest.approx((5 + 20 + 7) / 6000)
    assert np.isfinite(some.accuracy).any(axis=2).sum() == 5


def test_a_choice_is_a_training_stopped_after_so_many_epochs(some):
    assert cubes.stops() == (5, 10)
    assert some.scores[2 * 5, 0] == some.accuracy[5, 0, 4]
    assert some.scores[2 * 5 + 1, 1] == some.accuracy[5, 1, 9]
    for choice in (0, 11, 9719):
        config = cubes.configuration(choice)
        assert config.pop("max_epochs") == (5, 10)[choice % 2]
        assert config == tabular.trainings()[choice // 2]


def test_a_configuration_has_its_number_whatever_else_it_says():
    for choice in (0, 11, 9719):
        assert cubes.number(cubes.configuration(choice) | {"seed": 3}) == choice
    with pytest.raises(ValueError, match="not in"):
        cubes.number(cubes.configuration(0) | {"layers": 99})


def test_what_diverged_is_the_worst_that_there_is(some):
    assert some.accuracy[4859, 1, 2] == pytest.approx((3 + 3) / 6000)
    assert (some.accuracy[4859, 1, 3:] == 4 / 6000).all()


def test_worth_is_the_mean_of_those_that_have_all_seeds(some):
    assert some.there.sum() == 4
    assert some.worth[11] == some.scores[11].mean()
    assert not some.complete
    assert some.best == 2 * 4859 + 1
    assert some.only([0]).there.sum() == 4


def test_the_grid_has_an_axis_for_each_parameter(some):
    assert some.grids.shape[1:] == tuple(len(values) for values in cubes.axes().values())
    place = tuple(values.index(cubes.configuration(11)[name]) for name, values in cubes.axes().items())
    assert some.grids[:, *place].mean() == some.worth[11]
