"""What a survey of the table says, on tables that are made up."""

import numpy as np
import pandas as pd
import pytest

from lab.tabular import cube as cubes
from lab.tabular import survey
from lab.tabular import table as tabular
from table_kit import epochs, record, whole_table


def made_up(seeds=(0, 1, 2), noise=0.003):
    """Worth falls with weight decay; at 0.5 nothing is learnt. Choices after ten epochs are a point better."""
    rng = np.random.default_rng(0)
    decay = np.array([config["weight_decay"] for config in tabular.trainings()])
    worth = np.where(decay == 0.5, 0.1, 0.85 - 20 * decay) + np.where(decay == 0.5, 0, rng.uniform(-0.02, 0.02, 4860))
    epoch = np.where(np.arange(1, 11) < 10, 0.0, 0.01) * (worth > 0.2)[:, None, None]
    return cubes.Cube(worth[:, None, None] + epoch + noise * rng.normal(size=(4860, len(seeds), 1)), tuple(seeds))


def without(cube, trainings, seed):
    accuracy = cube.accuracy.copy()
    accuracy[trainings, cube.seeds.index(seed)] = np.nan
    return cubes.Cube(accuracy, cube.seeds)


def test_progress_counts_trainings_and_hours():
    configs = tabular.trainings()[:3]
    runs = [record(config | {"seed": 0}, epochs(10)) for config in configs[:2]]
    runs += [record(configs[0] | {"seed": 3}, epochs(2), "diverged")]
    progress = survey.progress(tabular.rows(runs))
    assert progress["trainings"].to_dict() == {0: 2, 3: 1}
    assert progress["planned"].to_dict() == {0: 4860, 3: 486}
    assert progress["diverged"].to_dict() == {0: 0, 3: 1}
    assert progress["hours"][0] == pytest.approx(20 * 1.234 / 3600)


def test_only_complete_seeds_are_used():
    cube = made_up((0, 1, 2, 3))
    assert survey.usable(without(cube, [7], 1)).seeds == (0, 2)
    assert survey.usable(without(without(without(cube, [7], 1), [8], 0), [9], 2)).seeds == (0,)


def test_the_state_says_how_much_is_there():
    assert survey.state(made_up()) == "All 9,720 configurations are there, with 3 seeds each."
    part = without(made_up((0,)), range(1000, 4860), 0)
    assert survey.state(part).startswith("2,000 of 9,720 configurations are there, with 1 seed each.")
    assert "1,000 trainings were drawn at random from 4,860" in survey.state(part)
    assert "within ± 2.8 points" in survey.state(part)  # 1.96 √(0.25 / 1000 · (1 − 1000 / 4860))
    assert "The best of all may be better" in survey.state(part)


def test_the_best_stand_first_with_the_interval_of_their_mean():
    cube = made_up()
    best = survey.best(cube, cube, 5)
    assert best["validationaccuracy"].is_monotonic_decreasing
    assert best["validationaccuracy"][0] == pytest.approx(cube.worth.max(), abs=1e-3)
    assert (best["high"] - best["low"]).to_numpy() == pytest.approx(2 * 1.96 * 0.003 / 3**0.5, rel=0.1)
    assert set(best["weight_decay"]) == {0}
    assert (best["seeds"] == 3).all()


def test_further_seeds_of_the_best_count():
    whole = made_up((0, 1, 2, 3, 4))
    best = np.argsort(-whole.only([0, 1, 2]).worth)[:972] // 2
    rest = np.setdiff1d(np.arange(4860), best)
    every = without(without(whole, rest, 3), rest, 4)
    table = survey.best(every.only([0, 1, 2]), every, 3)
    assert (table["seeds"] == 5).all()


def test_a_seed_that_is_not_complete_yet_moves_nothing():
    whole = made_up((0, 1))
    part = without(whole, range(40, 4860), 1)
    pd.testing.assert_frame_equal(
        survey.best(part.only([0]), part, 3), survey.best(whole.only([0]), whole.only([0]), 3)
    )


def test_with_one_seed_the_interval_is_that_of_the_images():
    cube = made_up((0,))
    best = survey.best(cube, cube, 3)
    share = best["validationaccuracy"].mean()
    assert (best["high"] - best["low"])[0] == pytest.approx(2 * 1.96 * (share * (1 - share) / 6000) ** 0.5, rel=0.01)


def test_near_the_best_and_never_learning():
    cube = made_up()
    close = survey.near(cube)
    assert cube.best in close
    assert cube.worth[close].min() >= cube.worth.max() - 0.005
    assert {cubes.configuration(choice)["weight_decay"] for choice in survey.unlearnt(cube)} == {0.5}
    assert len(survey.unlearnt(cube)) == 9720 / 3


def test_shares_are_those_of_a_table_of_configurations():
    cube = made_up()
    some = survey.near(cube)
    shares = survey.shares(cube, some).set_index(["parameter", "value"])
    configs = pd.DataFrame([cubes.configuration(choice) for choice in some])
    assert shares["among"]["optimizer", "ADAM"] == pytest.approx((configs["optimizer"] == "ADAM").mean())
    assert shares["all"]["layers", 2] == pytest.approx(1 / 3)
    assert "weight_decay 0 (100%)" in survey.common(shares.reset_index())
    assert "optimizer" not in survey.common(shares.reset_index())


def test_values_with_which_nothing_is_good_are_left_out():
    cube = made_up()
    grids, left = survey.worth_searching(cube)
    assert left["weight_decay"] == (0, 0.0005)
    assert left["optimizer"] == cubes.axes()["optimizer"]
    assert grids.shape == (3, *map(len, left.values()))
    assert grids.min() > 0.2
    decay = list(cubes.axes()).index("weight_decay")
    np.testing.assert_array_equal(grids, np.take(cube.grids, [0, 1], 1 + decay))


def test_importances_stand_beside_each_other_as_shares():
    table = survey.beside({"one": pd.Series({"a": 0.1, "b": 0.3}), "other": pd.Series({"b": 2.0, "a": 2.0})})
    assert table["one"].to_dict() == pytest.approx({"b": 0.75, "a": 0.25})
    assert table["other"].to_dict() == {"b": 0.5, "a": 0.5}
    assert list(table.index) == ["b", "a"]


def test_the_best_of_all_is_known_once_the_table_is_complete(tmp_path):
    assert survey.best_of_all(tmp_path / "none.csv.xz") == {}
    table = whole_table((0,), np.random.default_rng(0))
    tabular.write(table, tmp_path / "all.csv.xz")
    tabular.write(table[10:], tmp_path / "part.csv.xz")
    assert survey.best_of_all(tmp_path / "part.csv.xz") == {}
    best = survey.best_of_all(tmp_path / "all.csv.xz")["best of all"]
    row = table.loc[table[table["epoch"].isin([5, 10])]["validationaccuracy"].idxmax()]
    assert best == {name: row[name] for name in tabular.choices()} | {
        "max_epochs": row["epoch"],
        "loss": "cross_entropy",
    }
    assert {type(value) for value in best.values()} == {int, float, str}
