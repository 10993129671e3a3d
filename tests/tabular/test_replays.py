"""Replays of searches on a table whose accuracies are made up, so that what must be found is known."""

import numpy as np
import pytest

from lab.search.space import configuration, points
from lab.search.stopping import Hyperband
from lab.search.sweepfile import read
from lab.tabular import cube as cubes
from lab.tabular import replays
from lab.tabular import table as tabular


@pytest.fixture(scope="module")
def cube():
    """Accuracies that rise with the epochs, drawn once; a second seed that says nothing of the first."""
    heights = np.random.default_rng(0).uniform(0.1, 0.9, (4860, 2, 1))
    return cubes.Cube(heights * np.linspace(0.5, 1, 10), (0, 1))


def test_leaders_by_hand():
    scores = np.array([-np.inf, 0.2, 0.2, 0.5, 0.1])
    assert replays.leaders(np.array([7, 8, 9, 4, 5]), scores).tolist() == [-1, 8, 8, 4, 4]


def test_random_names_the_best_of_what_it_drew(cube):
    trace = replays.random(cube, 1, np.random.default_rng(3), 50)
    drawn = np.random.default_rng(3).choice(9720, 50, replace=False)
    best = [max(drawn[:k], key=lambda choice: cube.scores[choice, 1]) for k in range(1, 51)]
    assert trace.chosen.tolist() == best
    assert trace.paid.tolist() == np.cumsum([cubes.configuration(c)["max_epochs"] for c in drawn]).tolist()


def test_the_regret_of_random_search_is_that_of_order_statistics(cube):
    """What one of n without replacement ranks on average is known: (N + 1) / (n + 1)."""
    replayed = replays.replay(cube.only([0]), replays.random, 20, range(2000))
    ranks = np.empty(9720)
    ranks[np.argsort(-cube.scores[:, 0])] = np.arange(1, 9721)
    mean, expected = ranks[replayed.chosen[:, -1]].mean(), 9721 / 21
    assert mean == pytest.approx(expected, rel=0.1)  # standard error 2.2 %


def test_a_grid_visits_what_the_engine_visits():
    space = read(tabular.GRID).space
    visited = replays.grid_order([range(len(values)) for values in cubes.axes().values()])
    assert sorted(visited) == list(range(9720))
    for choice, point in zip(visited[::97], list(points(space))[::97], strict=True):
        assert cubes.configuration(choice) == configuration(space, point)


def test_a_grid_with_a_cap_is_cut_off(cube):
    trace = replays.grid(cube, 0, np.random.default_rng(0), 30)
    configs = [cubes.configuration(choice) for choice in trace.chosen]
    assert len({config["activation"] for config in configs}) == 1  # the first name changes last
    assert trace.paid[-1] == 30 * configs[0]["max_epochs"]


def test_hyperband_stops_as_its_rule_says_and_pays_for_what_ran(cube):
    rule = Hyperband((2, 6))
    trace = replays.hyperband(rule)(cube, 0, np.random.default_rng(5), 60)
    drawn = np.random.default_rng(5).choice(9720, 60, replace=False)
    curves, best = [], []
    for choice in drawn:
        whole = cubes.configuration(choice)["max_epochs"]
        curve = cube.accuracy[choice // 2, 0, :whole].tolist()
        end = next((e for e in range(1, whole) if rule.stops(curve[:e], curves, "maximize")), whole)
        curves.append(curve[:end])
        best.append((curve[-1], choice) if end == whole else (-1, -1))
        assert trace.paid[len(curves) - 1] == sum(map(len, curves))
        assert trace.chosen[len(curves) - 1] == max(best)[1]
    assert trace.paid[-1] < replays.epochs_of(drawn).sum()


def test_successive_halving_by_hand():
    curves = np.zeros((9, 10))
    curves[:, 0] = [9, 8, 7, 6, 5, 4, 3, 2, 1]  # 0, 1 and 2 go on
    curves[:3, 2] = [1, 3, 2]  # 1 goes on
    assert replays._bracket(curves) == (1, 9 * 1 + 3 * 2 + 1 * 7)


def test_successive_halving_starts_no_training_twice(cube):
    trace = replays.halving(cube, 0, np.random.default_rng(1), 200)
    assert len(trace.chosen) == 200
    assert (trace.chosen % 2 == 1).all()  # after ten epochs
    assert trace.paid[26] == 27 + 9 * 2 + 3 * 7
    assert (np.diff(trace.paid) >= 1).all()


def test_regret_is_by_the_mean_over_seeds(cube):
    replayed = replays.Replays(np.array([0]), np.array([[4, 5]]), np.array([[-1, 5]]), np.array([[10, 20]]))
    regret = replayed.regret(cube)
    assert np.isnan(regret[0, 0])
    assert regret[0, 1] == pytest.approx(100 * (cube.scores.mean(axis=1).max() - cube.scores[5].mean()))
    paid = replayed.regret_when_paid(cube, [5, 10, 19, 20, 99])
    assert np.isnan(paid[0, :3]).all()
    assert paid[0, 3:].tolist() == [regret[0, 1]] * 2


def test_a_replay_depends_on_its_number_alone(cube):
    together = replays.replay(cube, replays.random, 10, range(6))
    alone = replays.replay(cube, replays.random, 10, [4])
    np.testing.assert_array_equal(together.chosen[4], alone.chosen[0])


def test_what_the_table_lacks_is_never_drawn(cube):
    part = cubes.Cube(cube.accuracy.copy(), cube.seeds)
    part.accuracy[:4800] = np.nan
    for method in (replays.random, replays.grid, replays.hyperband(Hyperband((2, 6)))):
        assert method(part, 0, np.random.default_rng(0), 50).chosen.max() >= 9600
        assert part.there[method(part, 0, np.random.default_rng(0), 50).chosen[-1]]
    assert len(replays.halving(part, 0, np.random.default_rng(0), 50).chosen) == 50


def test_a_summary_has_a_row_for_each_search_and_number_of_runs(cube):
    replayed = {"random": replays.replay(cube, replays.random, 48, range(50))}
    table = replays.summary(replayed, cube, [24, 48, 100])
    assert table["runs"].tolist() == [24, 48]
    regret = replayed["random"].regret(cube)
    assert table["median"].tolist() == [np.median(regret[:, 23]), np.median(regret[:, 47])]
    assert (table["median"] <= table["nine in ten"]).all()


def test_what_epochs_buy_is_sorted_by_the_median(cube):
    replayed = {"random": replays.replay(cube, replays.random, 48, range(50))}
    replayed["halving"] = replays.replay(cube, replays.halving, 48, range(50))
    table = replays.priced(replayed, cube, 90)
    assert table["median"].is_monotonic_increasing
    regret = replayed["random"].regret_when_paid(cube, [90])[:, 0]
    assert table["median"]["random"] == np.median(regret)
    assert table["nine in ten"]["random"] == np.quantile(regret, 0.9)


def test_the_interval_of_a_quantile_holds_it_in_95_of_100_cases():
    drawn = np.random.default_rng(0).exponential(size=(2000, 200))
    for share in (0.5, 0.9):
        ends = np.array([replays.quantile_interval(values, share) for values in drawn])
        true = -np.log(1 - share)
        assert 0.94 < np.mean((ends[:, 0] <= true) & (true <= ends[:, 1])) < 0.98
    with_nothing = np.append(drawn[0], np.nan)
    assert replays.quantile_interval(with_nothing, 0.9) == replays.quantile_interval(drawn[0], 0.9)


def test_searches_are_told_apart_where_their_difference_is_more_than_luck():
    rng = np.random.default_rng(1)
    near, same, far = rng.exponential(size=(3, 400)) + np.array([0, 0, 1])[:, None]
    table = replays.judged({"far": far, "near": near, "same": same})
    assert table["level"].to_dict() == {"far": False, "near": True, "same": True}
    low, high = replays.difference(far, near)
    assert low < 1 < high
    assert low > 0.7
    wide = replays.difference(far, near, at_once=10)
    assert wide[0] < low < high < wide[1]


def test_equal_searches_are_seldom_told_apart():
    rng = np.random.default_rng(2)
    told = [not replays.judged(dict(enumerate(rng.exponential(size=(4, 200)))))["level"].all() for _ in range(30)]
    assert np.mean(told) < 0.2
