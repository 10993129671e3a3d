"""Parameters: their values, the way from what Optuna chooses to what a notebook gets, and a grid's order."""

import itertools

import pytest

from lab.search.space import Drawn, Listed, Real, Stepped, Weighted, Whole, configuration, points, size

PATH = ("x",)


@pytest.mark.parametrize(
    "parameter",
    [
        Listed(PATH, (1, 0.5, "relu", None)),
        Listed(PATH, (True, 1, "true", "1", [64, 32], {"a": [1]}, None)),
        Whole(PATH, -2, 5),
        Weighted(PATH, ("a", [1], True), (0.2, 0.3, 0.5)),
        Stepped(PATH, 0.5, 0.25, 7),
        Drawn(PATH, "uniform", (0, 10), q=2),
        Drawn(PATH, "norm", (0, 1), q=0.5),
    ],
)
def test_every_choice_can_be_chosen_and_is_itself(parameter):
    for value in parameter.choices:
        chosen = parameter.chosen(value)
        again = parameter.value(chosen)
        assert (again, type(again)) == (value, type(value))
        inner = parameter.distribution.to_internal_repr(chosen)
        assert parameter.distribution.to_external_repr(inner) == chosen


def test_a_grid_visits_its_points_by_sorted_names_the_last_changing_fastest():
    space = {
        "b": Listed(("b",), (1, 2)),
        "a.z": Whole(("a", "z"), 0, 2),
        "a.b": Listed(("a", "b"), ([1], [2])),
        "B": Listed(("B",), ("x",)),
    }
    visited = [configuration(space, point) for point in points(space)]
    expected = itertools.product(["x"], [[1], [2]], [0, 1, 2], [1, 2])
    assert visited == [{"B": B, "a": {"b": ab, "z": az}, "b": b} for B, ab, az, b in expected]


def test_a_grid_of_any_size_is_never_made_whole():
    space = {name: Whole((name,), 0, 10**15) for name in "abc"}
    assert size(space) == (10**15 + 1) ** 3
    assert list(itertools.islice(points(space), 2)) == [{"a": 0, "b": 0, "c": 0}, {"a": 0, "b": 0, "c": 1}]


def test_a_space_with_a_continuous_parameter_is_infinite():
    assert size({"x": Real(PATH, 0, 1), "y": Whole(("y",), 0, 1)}) == float("inf")
