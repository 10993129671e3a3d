"""What chapter 8 computes: differences of recipes and their intervals, what a sweep found, what mistakes are left."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from far_kit import ended, whole_table
from lab.far import records, scouting, survey
from lab.far.climbing import plan
from lab.far.ladder import Ladder


def each(rows, seeds=(0, 1, 2)):
    return pd.DataFrame(rows, index=list("abcd"[: len(rows)]), columns=list(seeds), dtype=float)


def test_what_is_on_record_of_a_training_is_its_last_epoch_and_all_its_minutes():
    table = ended([({"layers": 1}, 0.9), ({"layers": 2}, None)])
    table.loc[0, ["validationaccuracy", "seconds"]] = 0.3, 118.766
    found = records.ends(table)
    assert found.loc[records.key({"layers": 1})].tolist() == pytest.approx([0.9, 2.0])
    assert found["accuracy"][records.key({"layers": 2})] == 0.1  # what diverged guesses


def test_progress_counts_what_is_there_of_what_is_asked_for_and_nothing_twice():
    recipes = [{"layers": k} for k in (1, 2, 3)]
    table = ended((recipe, 0.9) for recipe in [*recipes[:2], {"layers": 9}])
    found = survey.progress(table, {"some": [*recipes, recipes[0]], "none": recipes[2:]})
    assert found[["trained", "planned"]].to_numpy().tolist() == [[2, 3], [0, 1]]
    assert found["core hours"].tolist() == pytest.approx([2 * 2 * 1.234 / 3600, 0])


def test_only_seeds_that_all_recipes_have_are_compared_or_else_those_recipes_that_have_the_first():
    recipes = {name: {"layers": k} for k, name in enumerate("ab")}
    table = ended(
        (recipes[name] | {"seed": seed}, 0.9 + 0.01 * seed) for name, seed in [("a", 0), ("b", 0), ("a", 1), ("b", 2)]
    )
    assert survey.accuracies(table, recipes).to_dict() == {0: {"a": 0.9, "b": 0.9}}
    lacking = table[table["config"] != records.key(recipes["b"] | {"seed": 0})]
    assert survey.accuracies(lacking, recipes).to_dict() == {0: {"a": 0.9}}
    assert survey.accuracies(table[:0], recipes).empty


def test_a_climb_ends_before_the_first_rung_that_is_lacking():
    """So that no rung is held against any but the one before it."""
    ladder = Ladder()
    rungs = [(name, config | {"seed": 0}) for name, config in ladder.rungs().items()]
    there = ended((config, 0.9) for k, (_, config) in enumerate(rungs) if k != 3)
    assert list(survey.climb(there, ladder).index) == [name for name, _ in rungs[:3]]
    assert survey.climb(there[:0], ladder).empty


def test_nothing_is_held_against_a_whole_that_is_lacking():
    rows = each([[0.90, 0.90], [0.93, 0.93]], seeds=(0, 1))
    assert survey.changes(rows, "the whole").empty


def test_what_a_seed_moves_beyond_what_it_moves_all_alike_is_the_residual_of_two_ways():
    """By least squares on indicators of recipes and seeds."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(4, 3)) + 10 * rng.normal(size=3)
    rows, columns = np.indices(values.shape).reshape(2, -1)
    design = np.hstack([np.eye(4)[rows], np.eye(3)[columns]])
    _, _, rank, _ = np.linalg.lstsq(design, values.ravel(), rcond=None)
    rest = values.ravel() - design @ np.linalg.pinv(design) @ values.ravel()
    error, free = survey.deviation(each(values))
    assert free == len(rest) - rank == 6
    assert error == pytest.approx(np.sqrt(rest @ rest / free))


def test_two_recipes_have_the_interval_of_a_paired_test():
    rows = np.array([[0.90, 0.91, 0.93], [0.89, 0.92, 0.90]])
    found = survey.differences(each(rows), {"a": "b"}).loc["a"]
    paired = stats.ttest_rel(*rows).confidence_interval(0.95)
    np.testing.assert_allclose(found, [np.mean(rows[0] - rows[1]), *paired])


def test_intervals_of_several_hold_for_all_at_once():
    """Where all are equal, in 95 of 100 tables no interval leaves zero out."""
    rng, missed = np.random.default_rng(1), 0
    for _ in range(400):
        found = survey.changes(each(rng.normal(size=(4, 3)) + rng.normal(size=3)), "a")
        missed += bool(((found["low"] > 0) | (found["high"] < 0)).any())
    assert missed / 400 == pytest.approx(0.05, abs=0.03)


def test_one_seed_has_differences_without_intervals():
    found = survey.rungs(each([[0.90], [0.92], [0.91]], seeds=[0]))
    assert found["difference"].round(6).to_dict() == {"b": 0.02, "c": -0.01}
    assert found[["low", "high"]].isna().all(axis=None)


def test_rungs_are_held_against_the_one_before_and_changes_against_the_whole():
    rows = each([[0.90, 0.90], [0.93, 0.93], [0.92, 0.92]], seeds=(0, 1))
    assert survey.rungs(rows)["difference"].round(6).to_dict() == {"b": 0.03, "c": -0.01}
    assert survey.changes(rows, "b")["difference"].round(6).to_dict() == {"a": -0.03, "c": -0.01}


def test_a_page_shows_per_cent_points_and_minutes():
    rows = each([[0.90, 0.90], [0.93, 0.93]], seeds=(0, 1))
    found = survey.described(rows, survey.rungs(rows), ["more"], pd.Series({"a": 1.5, "b": 2.5, "c": 3}))
    assert found.loc["b"].tolist() == pytest.approx([93, 3, 3, 3, "more", 2.5])
    assert found.loc["a"].dropna().tolist() == [90, 1.5]
    alone = survey.described(rows, survey.rungs(rows), [""], pd.Series({"a": 1.5, "b": 2.5}))
    assert list(alone) == ["accuracy (%)", "gain", "core minutes"]  # one seed has no intervals, and so no words


def test_a_sweep_is_told_by_what_it_varies_best_first():
    table = whole_table(np.random.default_rng(0))
    found = survey.scouted(table, scouting.SHORT)
    varied = survey.varied(scouting.SHORT)
    assert list(found) == [*varied, "validationaccuracy", "core minutes"]
    assert len(found) == len(scouting.recipes(scouting.SHORT))
    assert found["validationaccuracy"].is_monotonic_decreasing
    best = max(scouting.recipes(scouting.SHORT), key=lambda c: records.ends(table)["accuracy"][records.key(c)])
    shown = {name: " + ".join(best[name]) if isinstance(best[name], list) else best[name] for name in varied}
    assert found.iloc[0][varied].to_dict() == shown
    assert survey.scouted(table[:0], scouting.SHORT).empty


def test_recipes_of_the_long_sweep_are_named_by_what_it_varies():
    named, seeds = survey.recipes(scouting.LONG)
    assert seeds == [0, 1]
    assert len(named) * len(seeds) == len(scouting.recipes(scouting.LONG))
    assert all("seed" not in recipe for recipe in named.values())
    for name, recipe in named.items():
        assert f"mixup {recipe['mixup']}" in name
    table = whole_table(np.random.default_rng(0))
    best = survey.accuracies(table, named, seeds).mean(axis=1).idxmax()
    assert named[best] == scouting.winner(table)


def test_all_of_the_ladder_finds_its_trainings_in_a_whole_table():
    table, ladder = whole_table(np.random.default_rng(0)), Ladder()
    for recipes in (ladder.rungs(), ladder.changes()):
        found = survey.accuracies(table, recipes)
        assert list(found.index) == list(recipes)
        assert list(found.columns) == [0, 1, 2]
    counts = survey.progress(table, plan(table))
    assert (counts["trained"] == counts["planned"]).all()


def test_mistakes_are_those_of_the_mean_surest_first_with_those_who_agree():
    labels = np.array([0, 1, 1, 0])
    first = [[0.9, 0.1], [0.6, 0.4], [0.9, 0.1], [0.4, 0.6]]
    second = [[0.9, 0.1], [0.7, 0.3], [0.3, 0.7], [0.8, 0.2]]
    found = survey.mistakes(np.array([first, second]), labels)
    assert found["image"].tolist() == [1, 2]
    assert found["sure"].tolist() == pytest.approx([0.65, 0.6])
    assert found[["label", "said", "agreed"]].to_numpy().tolist() == [[1, 0, 2], [1, 0, 1]]


def test_networks_stand_in_the_order_of_their_seeds():
    kept = {"winner": {3: np.full((2, 10), 3.0), 1: np.full((2, 10), 1.0)}}
    assert survey.networks(kept, "winner")[:, 0, 0].tolist() == [1, 3]
    assert len(survey.networks(kept, "start")) == 0
