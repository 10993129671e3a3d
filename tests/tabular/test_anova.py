"""The exact decomposition of variance, beside hand-worked functions and least squares on indicators."""

import itertools

import numpy as np
import pytest

from lab.tabular import anova


def test_a_sum_has_no_interaction():
    values = np.add.outer([0.0, 2.0], [0.0, 1.0, 2.0])  # variances 1 and 2/3
    shares = anova.decomposition(values, ["a", "b"])
    assert shares[("a",)] == pytest.approx(1 / (5 / 3))
    assert shares[("b",)] == pytest.approx((2 / 3) / (5 / 3))
    assert shares[("a", "b")] == pytest.approx(0)


def test_an_exclusive_or_is_nothing_but_interaction():
    shares = anova.decomposition(np.array([[0.0, 1.0], [1.0, 0.0]]), ["a", "b"])
    assert dict(shares) == pytest.approx({("a",): 0, ("b",): 0, ("a", "b"): 1})


def test_least_squares_on_indicators_finds_the_same():
    """What main effects explain, and what pairs add, are R² of nested linear models."""
    sizes = (2, 3, 2, 4)
    values = np.random.default_rng(0).normal(size=sizes)
    shares = anova.decomposition(values, "abcd")
    points = np.array(list(itertools.product(*map(range, sizes))))
    y = values.ravel() - values.mean()

    def explained(*parts):
        columns = [np.ones(len(points))]
        for part in parts:
            for cell in itertools.product(*(range(sizes[k]) for k in part)):
                columns.append((points[:, part] == cell).all(axis=1).astype(float))
        design = np.stack(columns, axis=1)
        fitted = design @ np.linalg.lstsq(design, y, rcond=None)[0]
        return fitted.var() / y.var()

    for k in range(4):
        assert shares[("abcd"[k],)] == pytest.approx(explained([k]))
    for i, j in itertools.combinations(range(4), 2):
        assert shares[("abcd"[i], "abcd"[j])] == pytest.approx(explained([i], [j], [i, j]) - explained([i], [j]))
    assert anova.by_order(shares).sum() == pytest.approx(1)
    assert anova.by_order(shares)[1] == pytest.approx(explained([0], [1], [2], [3]))


def test_a_gap_is_refused():
    values = np.ones((2, 2))
    values[0, 1] = np.nan
    with pytest.raises(ValueError, match="1 of 4 values are missing"):
        anova.decomposition(values, "ab")
    with pytest.raises(ValueError, match="all values are equal"):
        anova.decomposition(np.ones((2, 2)), "ab")


def test_pairs_stand_in_a_matrix():
    shares = anova.decomposition(np.random.default_rng(1).normal(size=(2, 3, 2)), "abc")
    square = anova.matrix(shares)
    assert square.loc["a", "a"] == shares[("a",)]
    assert square.loc["c", "b"] == square.loc["b", "c"] == shares[("b", "c")]
    assert list(anova.alone(shares)) == sorted((shares[(name,)] for name in "abc"), reverse=True)


def test_noise_is_found_in_every_part_by_the_number_of_its_cells():
    """A sum of two parameters, and a seed's noise of known size: the pair of them has nothing but noise."""
    rng = np.random.default_rng(0)
    worth = np.add.outer(np.arange(6.0), np.arange(5.0))
    values = worth + rng.normal(size=(1500, 3, 6, 5)) + rng.normal(size=(1500, 3, 1, 1))  # the last moves all alike
    told = sum(anova.noise(one, "ab") * one.mean(axis=0).var() for one in values) / len(values)
    for part, cells in {("a",): 5, ("b",): 4, ("a", "b"): 20}.items():
        assert told[part] == pytest.approx(cells / 30 / 3, rel=0.05)
    pair = [anova.decomposition(one.mean(axis=0), "ab")[("a", "b")] * one.mean(axis=0).var() for one in values[:500]]
    assert np.mean(pair) == pytest.approx(told[("a", "b")], rel=0.1)


def test_one_seed_tells_nothing_of_noise():
    with pytest.raises(ValueError, match="1 seeds: expected 2 or more"):
        anova.noise(np.ones((1, 2, 2)), "ab")
