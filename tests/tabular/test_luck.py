"""What one seed is worth, on tables whose noise is known."""

import numpy as np
import pandas as pd
import pytest

from lab.tabular import cube as cubes
from lab.tabular import luck, replays

NOISE = 0.004
ALL = 480  # epochs, as many as 48 runs can cost


@pytest.fixture(scope="module")
def cube():
    """Worths from 0.7 to 0.9, normal noise of 0.4 points a seed, and images that are 1 point easier with seed 1."""
    rng = np.random.default_rng(0)
    worth = np.repeat(rng.uniform(0.7, 0.9, (4860, 1, 1)), 2, axis=2)
    scores = worth + NOISE * rng.normal(size=(4860, 3, 2)) + np.array([0, 0.01, 0])[:, None]
    return cubes.Cube(np.repeat(scores, 5, axis=2), (0, 1, 2))


@pytest.fixture(scope="module")
def replayed(cube):
    return replays.replay(cube, replays.random, 48, range(600))


def test_the_noise_of_a_seed_is_found(cube):
    among = np.arange(9720)
    assert luck.deviation(cube, among) == pytest.approx(100 * NOISE, rel=0.02)
    assert luck.residuals(cube, among).std() == pytest.approx(NOISE, rel=0.02)
    assert luck.levelled(cube, among).mean(axis=0) == pytest.approx([cube.scores.mean()] * 3)


def test_the_best_tenth_is_by_worth(cube):
    best = luck.top(cube)
    assert len(best) == 972
    assert set(best) == set(np.argsort(cube.worth)[-972:])


def test_seeds_agree_as_far_as_their_noise_lets_them(cube):
    spread = 0.2**2 / 12
    assert luck.agreement(cube, np.arange(9720)) == pytest.approx(spread / (spread + NOISE**2), abs=0.01)
    assert np.isnan(luck.agreement(cube.only([0]), np.arange(9720)))


def test_what_moves_all_alike_stands_apart(cube):
    assert luck.levels(cube, np.arange(9720)) == pytest.approx(1, abs=0.02)


def test_the_best_is_judged_by_a_seed_that_had_no_part():
    """All are worth 80 %: whatever the best of so many has above that is luck, and none of it is left elsewhere."""
    rng = np.random.default_rng(5)
    noise = [NOISE * np.repeat(rng.normal(size=(4860, 3, 2)), 5, axis=2) for _ in range(8)]
    level = [cubes.Cube(0.8 + one, (0, 1, 2)) for one in noise]
    assert min(cube.worth.max() for cube in level) > 0.8 + 3 * NOISE / 3**0.5
    assert np.mean([luck.elsewhere(cube) for cube in level]) == pytest.approx(0.8, abs=NOISE)


def test_the_best_by_a_mean_are_not_those_among_which_its_seeds_agree():
    """Where all are worth the same, seeds have nothing to agree on; among the best by their mean they even differ."""
    rng = np.random.default_rng(6)
    level = cubes.Cube(0.8 + NOISE * np.repeat(rng.normal(size=(4860, 3, 2)), 5, axis=2), (0, 1, 2))
    assert luck.agreement(level, luck.top(level)) < -0.2
    assert luck.agreement_of_the_best(level) == pytest.approx(0, abs=0.06)
    assert np.isnan(luck.agreement_of_the_best(level.only([0, 1])))
    best = luck.best_elsewhere(level, (0, 2))
    assert set(best) == set(np.argsort(level.scores[:, 1])[-972:])


def test_the_winner_by_one_seed_is_a_lucky_one(cube):
    table = luck.winners(cube)
    for row in table.itertuples():
        others = np.delete(cube.scores, row.seed, axis=1).mean(axis=1)
        assert cube.scores[row.choice, row.seed] == cube.scores[:, row.seed].max()
        assert row.place == 1 + (others > others[row.choice]).sum()
    assert (table["flatters"] > 0).all()


def test_flattery_is_the_expected_noise_of_the_largest(cube, replayed):
    """Were all worth the same, it would be that of the largest of 48 normal numbers, 2.2 deviations."""
    level = cubes.Cube(0.8 + NOISE * np.random.default_rng(1).normal(size=(4860, 3, 10)), (0, 1, 2))
    alike = replays.replay(level, replays.random, 48, range(600))
    largest = np.random.default_rng(2).normal(size=(20000, 48)).max(axis=1).mean()
    among = np.arange(9720)
    scores, named = level.scores, alike.chosen[:, -1]
    flatters = scores[named, alike.seeds] - (scores[named].sum(axis=1) - scores[named, alike.seeds]) / 2
    assert 100 * flatters.mean() == pytest.approx(100 * NOISE * largest, rel=0.05)
    assert luck.flattery(level, alike, 48) == pytest.approx(100 * flatters.mean(), abs=0.05)
    assert 0 < luck.flattery(cube, replayed, 48) < 100 * NOISE * largest
    assert luck.agreement(level, among) == pytest.approx(0, abs=0.05)


def test_how_often_the_named_is_among_the_best(cube, replayed):
    assert luck.among_the_best(cube, replayed, 10) == 1  # of ten
    perfect = cube.only([0])
    assert luck.among_the_best(perfect, replays.replay(perfect, replays.random, 48, range(50)), 48, 1) == 1
    assert 0.3 < luck.among_the_best(cube, replayed, 48, 1) < 1


def test_a_confirmation_of_one_with_one_seed_is_none(cube, replayed):
    levelled = luck.levelled(cube, luck.top(cube))[replayed.drawn, replayed.seeds[:, None]]
    expected = np.take_along_axis(replayed.drawn, levelled.argmax(axis=1)[:, None], 1)[:, 0]
    named = luck.confirmed(cube, replayed, ALL, 1, 1, np.random.default_rng(0))
    np.testing.assert_array_equal(named, expected)
    np.testing.assert_array_equal(named, replayed.chosen[:, 47])


def test_what_was_stopped_early_is_no_candidate(cube, replayed):
    stopped = replayed._replace(paid=replayed.paid - (np.arange(48) >= 24))  # the 25th ended an epoch too early
    named = luck.confirmed(cube, stopped, ALL, 48, 200, np.random.default_rng(0))
    assert not (named == replayed.drawn[:, 24]).any()
    assert (luck.confirmed(cube, replayed, ALL, 48, 200, np.random.default_rng(0)) == replayed.drawn[:, 24]).any()


def test_what_the_epochs_do_not_pay_for_is_no_candidate(cube, replayed):
    paid = replayed.paid[:, 23].max()  # 24 runs of every replay, and some more of most
    named = luck.confirmed(cube, replayed, paid, 1, 1, np.random.default_rng(0))
    scores = luck.levelled(cube, luck.top(cube))
    for name, drawn, epochs, seed in zip(named, replayed.drawn, replayed.paid, replayed.seeds, strict=True):
        affordable = drawn[epochs <= paid]
        assert name == affordable[scores[affordable, seed].argmax()]


def test_plans_stand_beside_each_other(cube, replayed):
    table = luck.plans(cube, {"random": replayed}, ALL, (5, 9))
    regret = replayed.regret(cube)[:, 47]
    assert table["one seed, median"]["random"] == pytest.approx(np.median(regret))
    assert table["one seed, nine in ten"]["random"] == pytest.approx(np.quantile(regret, 0.9))
    assert table["confirmed, median"]["random"] <= table["one seed, median"]["random"]
    assert table["from"]["random"] <= table["confirmed, median"]["random"] <= table["to"]["random"]
    assert table["level"]["random"]
    assert table["runs"]["random"] == 48
    assert luck.plans(cube, {"random": replayed}, 180, (5, 9))["runs"]["random"] == pytest.approx(24, abs=2)


def test_a_fair_regret_takes_the_luck_out_of_the_best():
    """All are worth 80 %: whatever a search names lacks nothing, where the luckiest of all seems to be far ahead."""
    rng = np.random.default_rng(7)
    level = [cubes.Cube(0.8 + NOISE * np.repeat(rng.normal(size=(4860, 3, 2)), 5, axis=2), (0, 1, 2)) for _ in range(8)]
    played = [replays.replay(cube, replays.random, 48, range(100)) for cube in level]
    tables = [luck.plans(cube, {"random": replayed}, ALL, (5, 5)) for cube, replayed in zip(level, played, strict=True)]
    assert min(table["one seed, median"]["random"] for table in tables) > 100 * NOISE
    assert np.mean([table["one seed, fair"]["random"] for table in tables]) == pytest.approx(0, abs=100 * NOISE / 2)


def test_a_fair_regret_is_what_is_lacking_where_there_is_no_luck():
    worth = np.linspace(0.5, 0.9, 9720).reshape(4860, 1, 2)
    sure = cubes.Cube(np.repeat(np.repeat(worth, 3, axis=1), 5, axis=2), (0, 1, 2))
    replayed = replays.replay(sure, replays.random, 5, range(9))
    lacking = 100 * (0.9 - sure.worth[replayed.drawn].max(axis=1))
    assert luck.fairly(sure, replayed, replayed.chosen[:, -1]) == pytest.approx(lacking.mean())


def test_more_seeds_come_closer(cube, replayed):
    table = luck.confirmations(cube, replayed, ALL, [1, 5, 10], [1, 5, 25]).set_index(["best", "seeds"])
    assert table["further runs"][10, 5] == 40
    assert table["close"][10, 25] > table["close"][5, 5] > table["close"][1, 1]
    assert table["median"][10, 25] <= table["median"][1, 1]
    assert ((table["low"] < table["close"]) & (table["close"] < table["high"])).all()


def test_enough_is_the_cheapest_that_is_surely_close(cube, replayed):
    table = luck.confirmations(cube, replayed, ALL, [2, 4], [2, 3]).assign(close=[0.8, 0.95, 0.91, 0.99])
    assert luck.enough(table.assign(low=table["close"]))["further runs"] == 4
    assert luck.enough(table.assign(low=[0.8, 0.89, 0.85, 0.98]))["further runs"] == 8
    assert luck.enough(table.assign(low=0.89)) is None


def test_runs_are_compared_with_those_of_the_same_configuration_and_seed(cube):
    configs = pd.DataFrame([cubes.configuration(choice) for choice in (11, 4000, 4001, 4002)])
    runs = configs.assign(seed=[1, 2, 0, 7], validationaccuracy=[0.9, 0.8, np.nan, 0.9])
    expected = [100 * (0.9 - cube.scores[11, 1]), 100 * (0.8 - cube.scores[4000, 2])]
    assert luck.repeated(cube, runs) == pytest.approx(expected)
    assert len(luck.repeated(cube, runs.assign(layers=9))) == len(luck.repeated(cube, runs.assign(limit=1000))) == 0
    nothing = cubes.Cube(np.full((4860, 3, 10), 0.1), (0, 1, 2))
    assert len(luck.repeated(nothing, runs)) == 0
