"""What an evaluation reports, against published tables, counting, and cases worked out by hand."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from lab.evaluation import scores

T_975 = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776, 10: 2.262, 31: 2.042}  # Student's table, by the number of values


@pytest.mark.parametrize("n", T_975)
def test_the_interval_of_a_mean_is_that_of_students_table(n):
    values = np.arange(n)  # their mean is (n - 1) / 2, their variance n (n + 1) / 12
    error = math.sqrt((n + 1) / 12)
    expected = [(n - 1) / 2 - T_975[n] * error, (n - 1) / 2 + T_975[n] * error]
    np.testing.assert_allclose(scores.seed_interval(values), expected, atol=0.00051 * error)  # its last digit


def test_values_that_are_all_the_same_have_an_interval_of_no_width():
    assert scores.seed_interval([0.5, 0.5, 0.5]) == (0.5, 0.5)


@pytest.mark.parametrize("n", [0, 1])
def test_too_few_seeds_are_refused(n):
    with pytest.raises(ValueError, match=f"{n} values: expected 2 seeds or more"):
        scores.seed_interval([0.5] * n)


@pytest.mark.parametrize(
    ("right", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilsons_interval_is_that_of_newcombes_table(right, n, low, high):
    """Newcombe, Statistics in Medicine 17 (1998), table I, method 3."""
    np.testing.assert_allclose(scores.wilson_interval(right / n, n), (low, high), atol=5e-5)


@pytest.mark.parametrize(("b", "c"), [(7, 2), (2, 7), (5, 5), (0, 6), (0, 0), (430, 371)])
def test_mcnemars_p_counts_the_tosses_of_a_coin(b, c):
    """Of all 2ⁿ sequences, those that are split as unevenly or more so."""
    first = np.repeat([True, False, True, False], [b, c, 30, 4])
    second = np.repeat([False, True, True, False], [b, c, 30, 4])
    found = scores.mcnemar(first, second)
    assert (found.only_first, found.only_second) == (b, c)
    as_uneven = sum(math.comb(b + c, k) for k in range(b + c + 1) if abs(2 * k - b - c) >= abs(b - c))
    assert found.p == pytest.approx(as_uneven / 2 ** (b + c), rel=1e-9)


def test_confusion_counts_what_is_taken_for_what():
    counts = scores.confusion(np.array([0, 0, 1, 2, 2, 2]), np.array([0, 1, 1, 2, 0, 2]), classes=4)
    assert counts.tolist() == [[1, 1, 0, 0], [0, 1, 0, 0], [1, 0, 2, 0], [0, 0, 0, 0]]


@pytest.mark.parametrize("unit", [1, 0.2])
def test_class_scores_of_a_case_worked_out_by_hand(unit):
    """Of 8 of the first class 6 are found, and 4 others are taken for it. Means over networks score alike."""
    found = scores.class_scores(unit * np.array([[6, 2], [4, 8]]))
    np.testing.assert_allclose(found["precision"], [6 / 10, 8 / 10])
    np.testing.assert_allclose(found["recall"], [6 / 8, 8 / 12])
    np.testing.assert_allclose(found["F1"], [12 / 18, 16 / 22])


def test_a_class_that_is_never_said_has_scores_of_zero():
    found = scores.class_scores(scores.confusion(np.array([0, 1]), np.array([0, 0]), classes=3))
    assert found["precision"].tolist() == [0.5, 0, 0]
    assert found["recall"].tolist() == [1, 0, 0]


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


def test_correlations_have_sign_and_size_and_leave_out_constants():
    table = pd.DataFrame({"layers": [1, 2, 3, 9], "weight_decay": [0.5, 0.1, 0.01, 0], "loss": list("aabb"), "seed": 0})
    found = scores.correlations(table.assign(metric=[np.nan, 0.7, 0.8, 0.81]), list(table), "metric")
    assert found.index.tolist() == ["layers", "loss = b", "loss = a", "weight_decay"]
    assert found.tolist() == pytest.approx([1, 0.8**0.5, -(0.8**0.5), -1])


def test_unrelated_runs_stay_within_chance_nineteen_times_in_twenty():
    rng = np.random.default_rng(0)
    drawn = [spearmanr(*rng.normal(size=(2, 24))).statistic for _ in range(2000)]
    assert 0.93 < np.mean(np.abs(drawn) < scores.chance(24)) < 0.97
