"""What an evaluation reports, against scikit-learn, SciPy and cases worked out by hand."""

import itertools

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics

from lab.evaluation import scores


@pytest.fixture
def labels():
    return np.random.default_rng(0).integers(0, 10, 500)


@pytest.fixture
def predictions(labels):
    rng = np.random.default_rng(1)
    return np.where(rng.random(500) < 0.7, labels, rng.integers(0, 10, 500))


def test_confusion_and_class_scores_are_those_of_scikit_learn(labels, predictions):
    counts = scores.confusion(labels, predictions)
    assert np.array_equal(counts, metrics.confusion_matrix(labels, predictions))
    expected = metrics.precision_recall_fscore_support(labels, predictions)[:3]
    np.testing.assert_allclose(list(scores.class_scores(counts).values()), expected, rtol=1e-12)


def test_a_class_that_is_never_said_has_scores_of_zero():
    found = scores.class_scores(scores.confusion(np.array([0, 1]), np.array([0, 0]), classes=3))
    assert found["precision"].tolist() == [0.5, 0, 0]
    assert found["recall"].tolist() == [1, 0, 0]


@pytest.mark.parametrize("n", scores.T_975)
def test_the_interval_of_a_mean_is_that_of_scipy(n):
    values = np.random.default_rng(n).normal(0.88, 0.003, n)
    expected = stats.t.interval(0.95, n - 1, loc=values.mean(), scale=stats.sem(values))
    np.testing.assert_allclose(scores.seed_interval(values), expected, atol=1e-4 * np.ptp(expected))


@pytest.mark.parametrize("n", [1, 11])
def test_too_few_or_too_many_seeds_are_refused(n):
    with pytest.raises(ValueError, match=f"{n} values: expected 2 to 10"):
        scores.seed_interval([0.5] * n)


@pytest.mark.parametrize(("right", "n"), [(8800, 10_000), (3, 10), (0, 20), (20, 20)])
def test_wilsons_interval_is_that_of_scipy(right, n):
    expected = stats.binomtest(right, n).proportion_ci(0.95, method="wilson")
    np.testing.assert_allclose(scores.wilson_interval(right / n, n), expected, atol=1e-12)


@pytest.mark.parametrize(("b", "c"), [(7, 2), (2, 7), (5, 5), (0, 6), (0, 0), (430, 371)])
def test_mcnemar_is_the_binomial_test_of_scipy_on_the_cases_that_differ(b, c):
    first = np.repeat([True, False, True, False], [b, c, 30, 4])
    second = np.repeat([False, True, True, False], [b, c, 30, 4])
    found = scores.mcnemar(first, second)
    assert (found.only_first, found.only_second) == (b, c)
    assert found.p == pytest.approx(stats.binomtest(b, b + c).pvalue if b + c else 1, rel=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_classes_is_the_best_of_all(seed):
    counts = np.random.default_rng(seed).integers(0, 50, (6, 6))
    shares = counts / counts.sum(axis=1, keepdims=True)

    def cost(order):
        pairs = itertools.permutations(range(6), 2)
        return sum(shares[order[i], order[j]] * abs(i - j) for i, j in pairs)

    best = min(map(cost, itertools.permutations(range(6))))
    assert cost(scores.side_by_side(counts)) == pytest.approx(best, rel=1e-12)


def test_classes_that_are_confused_stand_side_by_side():
    counts = np.diag([90, 90, 90, 90])
    counts[0, 3] = counts[3, 0] = counts[1, 2] = 10
    assert scores.side_by_side(counts) == [0, 3, 1, 2]


def test_calibration_of_a_case_worked_out_by_hand():
    """Two sure at 0.95, one of them right; two at 0.65, both right: (|1.9 - 1| + |1.3 - 2|) / 4 = 0.4."""
    probabilities = np.array([[0.95, 0.05], [0.05, 0.95], [0.65, 0.35], [0.65, 0.35]])
    found = scores.calibration(probabilities, np.array([0, 0, 0, 0]), bins=10)
    assert found.counts.tolist() == [0, 0, 0, 0, 0, 0, 2, 0, 0, 2]
    assert found.accuracy[[6, 9]].tolist() == [1, 0.5]
    np.testing.assert_allclose(found.confidence[[6, 9]], [0.65, 0.95])
    assert found.ece == pytest.approx(0.4)


def test_certainty_has_a_bin():
    found = scores.calibration(np.array([[1.0, 0.0]]), np.array([0]))
    assert found.counts[-1] == 1
    assert found.ece == 0
