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


def test_intervals_that_hold_at_once_are_wider():
    """Student's t for 4 degrees of freedom and a tail of 0.0025 is 5.598, and of 0.025 it is 2.776."""
    values = np.arange(5)
    low, high = scores.seed_interval(values, at_once=10)
    assert (high - low) / 2 == pytest.approx(5.598 * math.sqrt(0.5), rel=1e-4)


def test_means_without_pairs_have_welchs_interval():
    """With equal numbers and variances it is Student's: 5 and 5 values of variance 2.5, 8 degrees of freedom, 2.306."""
    low, high = scores.unpaired_interval(np.arange(5) + 10, np.arange(5)[::-1])
    assert (low, high) == pytest.approx((10 - 2.306, 10 + 2.306), abs=1e-3)
    assert scores.unpaired_interval([3, 3], [1, 1]) == (2, 2)


def test_without_pairs_the_order_of_seeds_is_nothing():
    first, second = np.random.default_rng(0).random((2, 5, 400)) < 0.8
    gap = scores.gap(first, second, paired=False)
    assert scores.gap(first, second[[3, 1, 4, 0, 2]], paired=False).seeds == pytest.approx(gap.seeds)


def test_a_gap_has_an_interval_for_each_kind_of_chance():
    """All seeds alike: only images differ. All images alike: only seeds do."""
    images = np.tile(np.arange(100) < 10, (5, 1))  # the first model alone is right about 10 of 100
    gap = scores.gap(images, np.zeros((5, 100), bool))
    assert gap.mean == pytest.approx(0.1)
    assert gap.seeds == pytest.approx((0.1, 0.1))
    error = 1.96 * math.sqrt(0.1 * 0.9 / 99)
    assert gap.images == pytest.approx((0.1 - error, 0.1 + error), abs=1e-4)
    seeds = np.tile(np.arange(5.0)[:, None], 100)
    gap = scores.gap(seeds, np.zeros((5, 100)))
    assert gap.images == pytest.approx((2, 2))
    assert gap.seeds == pytest.approx((2 - 2.776 * math.sqrt(0.5), 2 + 2.776 * math.sqrt(0.5)), abs=1e-3)


def test_how_far_others_lie_behind_is_taken_seed_by_seed():
    """Means whose own intervals overlap, as some seeds have harder images; their differences do not vary at all."""
    easy = np.array([0.0, 0.02, 0.04, 0.01, 0.03])
    behind = scores.behind([0.9 + easy, 0.89 + easy, [0.9, None, 0.9, 0.9, 0.9], 0.9 + easy[::-1]])
    assert behind.isna().all(axis=1).tolist() == [True, False, True, False]
    assert behind.loc[1].to_numpy() == pytest.approx((1, 1))
    half = 3.495 * np.std(easy - easy[::-1], ddof=1) / 5**0.5  # Student's t, 4 degrees of freedom, a tail of 0.0125
    assert behind.loc[3].to_numpy() == pytest.approx((-100 * half, 100 * half), rel=1e-3)


def test_networks_part_within_each_of_two_configurations_and_between_them():
    first = np.array([[1, 1, 1, 1], [1, 1, 1, 0]], bool)  # one image parts the two seeds
    second = np.array([[0, 0, 1, 1], [1, 1, 0, 1]], bool)  # three do; between them, two with each seed
    assert scores.parting(first, second) == (2, 2)


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
    test = scores.mcnemar(first, second)
    assert (test.only_first, test.only_second) == (b, c)
    as_uneven = sum(math.comb(b + c, k) for k in range(b + c + 1) if abs(2 * k - b - c) >= abs(b - c))
    assert test.p == pytest.approx(as_uneven / 2 ** (b + c), rel=1e-9)


def test_confusion_counts_what_is_taken_for_what():
    counts = scores.confusion(np.array([0, 0, 1, 2, 2, 2]), np.array([0, 1, 1, 2, 0, 2]), classes=4)
    assert counts.tolist() == [[1, 1, 0, 0], [0, 1, 0, 0], [1, 0, 2, 0], [0, 0, 0, 0]]


@pytest.mark.parametrize("unit", [1, 0.2])
def test_class_scores_of_a_case_worked_out_by_hand(unit):
    """Of 8 of the first class 6 are found, and 4 others are taken for it. Means over networks score alike."""
    by_class = scores.class_scores(unit * np.array([[6, 2], [4, 8]]))
    np.testing.assert_allclose(by_class["precision"], [6 / 10, 8 / 10])
    np.testing.assert_allclose(by_class["recall"], [6 / 8, 8 / 12])
    np.testing.assert_allclose(by_class["F1"], [12 / 18, 16 / 22])


def test_a_class_that_is_never_said_has_scores_of_zero():
    by_class = scores.class_scores(scores.confusion(np.array([0, 1]), np.array([0, 0]), classes=3))
    assert by_class["precision"].tolist() == [0.5, 0, 0]
    assert by_class["recall"].tolist() == [1, 0, 0]


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
    bins = scores.calibration(probabilities, np.array([0, 0, 0, 0]), bins=10)
    assert bins.counts.tolist() == [0, 0, 0, 0, 0, 0, 2, 0, 0, 2]
    assert bins.accuracy[[6, 9]].tolist() == [1, 0.5]
    np.testing.assert_allclose(bins.confidence[[6, 9]], [0.65, 0.95])
    assert bins.ece == pytest.approx(0.4)


def test_certainty_has_a_bin():
    bins = scores.calibration(np.array([[1.0, 0.0]]), np.array([0]))
    assert bins.counts[-1] == 1
    assert bins.ece == 0


def test_correlations_have_sign_and_size_and_leave_out_constants():
    table = pd.DataFrame({"layers": [1, 2, 3, 9], "weight_decay": [0.5, 0.1, 0.01, 0], "loss": list("aabb"), "seed": 0})
    coefficients = scores.correlations(table.assign(metric=[np.nan, 0.7, 0.8, 0.81]), list(table), "metric")
    assert coefficients.index.tolist() == ["layers", "loss = b", "loss = a", "weight_decay"]
    assert coefficients.tolist() == pytest.approx([1, 0.8**0.5, -(0.8**0.5), -1])


def test_unrelated_runs_stay_within_chance_nineteen_times_in_twenty():
    rng = np.random.default_rng(0)
    drawn = [spearmanr(*rng.normal(size=(2, 24))).statistic for _ in range(2000)]
    assert 0.93 < np.mean(np.abs(drawn) < scores.chance(24)) < 0.97


def test_the_band_of_many_correlations_holds_for_the_largest():
    rng = np.random.default_rng(3)
    ranks = np.argsort(rng.normal(size=(2000, 10, 24)), axis=2)
    largest = np.abs([[np.corrcoef(one, np.arange(24))[0, 1] for one in some] for some in ranks[:400]]).max(axis=1)
    assert 0.93 < np.mean(largest < scores.chance(24, 10)) < 0.99
    assert np.mean(largest < scores.chance(24)) < 0.75
