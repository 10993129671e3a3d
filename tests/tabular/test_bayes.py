"""Bayesian search on a table: it chooses as a sweep does, and what is kept is what was replayed."""

import numpy as np
import pandas as pd
import pytest

from lab.search.choosing import Search
from lab.search.stopping import Hyperband
from lab.search.sweepfile import read
from lab.tabular import bayes, replays
from lab.tabular import cube as cubes
from lab.tabular import table as tabular


@pytest.fixture(scope="module")
def cube():
    """What a configuration is worth is a sum over its parameters, so that there is something to learn."""
    rng, shape = np.random.default_rng(0), [len(values) for values in cubes.axes_of_trainings().values()]
    effects = [
        0.03 * rng.normal(size=n).reshape([-1 if k == axis else 1 for axis in range(len(shape))])
        for k, n in enumerate(shape)
    ]
    worth = 0.7 + sum(effects).reshape(-1, 1, 1) + 0.003 * rng.normal(size=(4860, 2, 1))
    return cubes.Cube(worth * np.linspace(0.9, 1, 10), (0, 1))


def test_a_choice_and_what_optuna_calls_it_are_one():
    assert [bayes.number_of(bayes.params_of(choice)) for choice in (0, 1, 4711, 9719)] == [0, 1, 4711, 9719]


def test_it_chooses_as_asking_and_telling_does(cube, monkeypatch):
    """Without a lag, which `Search` does not have."""
    monkeypatch.setattr(bayes, "LAG", 0)
    trace = bayes.bayes()(cube, 1, np.random.default_rng(7), 16)
    search = Search(read(tabular.GRID).space, "bayes", "maximize", int(np.random.default_rng(7).integers(2**31)))
    for choice in trace.drawn:
        config = search.ask()
        assert config == cubes.configuration(choice)
        search.tell(config, cube.scores[choice, 1])


def test_it_finds_more_than_chance(cube):
    best = {
        name: replays.replay(cube, method, 36, range(4)).regret(cube)[:, -1].mean()
        for name, method in (("random", replays.random), ("bayes", bayes.bayes()))
    }
    assert best["bayes"] < best["random"]


def test_after_random_runs_it_repeats_none(cube):
    trace = bayes.bayes(after=24)(cube, 0, np.random.default_rng(1), 30)
    np.testing.assert_array_equal(trace.drawn[:24], replays.random(cube, 0, np.random.default_rng(1), 24).drawn)
    assert len(set(trace.drawn)) == 30


def test_with_a_rule_what_falls_behind_is_paid_for_as_far_as_it_went(cube):
    trace = bayes.bayes(Hyperband((2, 6)))(cube, 0, np.random.default_rng(1), 20)
    went, whole = np.diff(trace.paid, prepend=0), replays.epochs_of(trace.drawn)
    assert set(went[went < whole]) <= {2, 6}
    assert (went < whole).any()


def test_what_is_kept_is_what_was_replayed(cube, tmp_path, monkeypatch):
    monkeypatch.setattr(bayes, "SEARCHES", {"bayes": bayes.bayes(), "hyperband": bayes.bayes(Hyperband((2, 6)))})
    bayes.compute(cube, replays=3, runs=12, path=tmp_path / "r.csv.xz", workers=1)
    kept = bayes.load(cube, tmp_path / "r.csv.xz")
    assert list(kept) == ["bayes", "hyperband"]
    for name, method in bayes.SEARCHES.items():
        for one, other in zip(kept[name], replays.replay(cube, method, 12, range(3)), strict=True):
            np.testing.assert_array_equal(one, other)
    assert bayes.again(cube, kept, range(2), 12) == (4, 4)
    assert bayes.again(cube, {"bayes": kept["hyperband"]}, [1], 12)[1] == 1
    before = (tmp_path / "r.csv.xz").read_bytes()
    bayes.compute(cube, replays=3, runs=12, path=tmp_path / "r.csv.xz")  # nothing is lacking
    assert (tmp_path / "r.csv.xz").read_bytes() == before
    assert len(pd.read_csv(tmp_path / "r.csv.xz")) == 2 * 3 * 12


def test_what_was_made_before_an_interruption_is_not_made_again(cube, tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(bayes, "SEARCHES", {"bayes": bayes.bayes(), "hyperband": bayes.bayes(Hyperband((2, 6)))})
    monkeypatch.setattr(bayes, "AT_ONCE", 2)
    whole, path = tmp_path / "whole.csv.xz", tmp_path / "r.csv.xz"
    bayes.compute(cube, replays=3, runs=12, path=whole, workers=1)
    assert [line.split(" replays")[0] for line in capfd.readouterr().out.splitlines()] == ["2 of 6", "4 of 6", "6 of 6"]
    real, made = bayes._rows, []

    def interrupted(*arguments):
        made.append(arguments[2:])
        if len(made) == 4:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(bayes, "_rows", interrupted)
    with pytest.raises(KeyboardInterrupt):
        bayes.compute(cube, replays=3, runs=12, path=path, workers=1)
    bayes.compute(cube, replays=3, runs=12, path=path, workers=1)
    assert made[4:] == [("bayes", 2), ("hyperband", 0), ("hyperband", 1), ("hyperband", 2)]
    assert path.read_bytes() == whole.read_bytes()


def test_replays_of_other_seeds_are_made_anew(cube, tmp_path, monkeypatch):
    monkeypatch.setattr(bayes, "SEARCHES", {"bayes": bayes.bayes()})
    path = tmp_path / "r.csv.xz"
    bayes.compute(cube.only([1]), replays=3, runs=12, path=path, workers=1)
    assert set(pd.read_csv(path)["seed"]) == {1}
    assert bayes.load(cube, path)["bayes"].seeds.tolist() == [1, 1, 1]
    assert bayes.load(cube.only([0]), path) == {}
    bayes.compute(cube, replays=3, runs=12, path=path, workers=1)
    assert bayes.load(cube, path)["bayes"].seeds.tolist() == [0, 1, 0]


def test_a_table_with_gaps_is_refused(cube, tmp_path):
    part = cubes.Cube(cube.accuracy.copy(), cube.seeds)
    part.accuracy[0] = np.nan
    with pytest.raises(ValueError, match="2 of 9,720 choices are not in the table yet"):
        bayes.compute(part, path=tmp_path / "r.csv.xz")
    with pytest.raises(FileNotFoundError, match="make every"):
        bayes.load(cube, tmp_path / "r.csv.xz")
