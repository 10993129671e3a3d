"""Sentences: each says more, less or nothing, as the numbers do; numbers are made by hand."""

import numpy as np
import optuna
import pandas as pd
import pytest

from lab.evaluation import sentences
from lab.evaluation.scores import Gap, gap

NARROW, WIDE = np.array([-0.0001, 0, 0.0001]), np.array([-0.01, 0, 0.01])  # the spread of three seeds


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [(0.01, 0.94, "more"), (-0.94, -0.01, "less"), (-0.01, 0.94, "open"), (-0.94, 0.01, "open"), (0.0, 1.0, "open")],
)
def test_an_interval_that_holds_zero_decides_nothing(low, high, said):
    assert sentences.told_apart(low, high, "more", "less", "open") == said


@pytest.mark.parametrize(
    ("seeds", "images", "verdict"),
    [
        ((0.001, 0.009), (0.002, 0.008), "better than"),
        ((-0.009, -0.001), (-0.008, -0.002), "worse than"),
        ((-0.001, 0.011), (0.002, 0.008), "not to be told apart from"),
        ((0.001, 0.009), (-0.001, 0.011), "not to be told apart from"),
    ],
)
def test_a_comparison_has_its_word_and_an_interval_for_each_kind_of_chance(seeds, images, verdict):
    mean = np.mean(seeds)
    words, numbers = sentences.compared(Gap(mean, seeds, images))
    assert words == verdict
    assert numbers.startswith(f"{100 * mean:+.2f} percentage points (95 % interval {100 * seeds[0]:+.2f} to ")
    assert f"over seeds, {100 * images[0]:+.2f} to {100 * images[1]:+.2f} over test images" in numbers


def test_one_configuration_under_two_names_is_the_same():
    right = np.random.default_rng(0).random((3, 50)) < 0.9
    words, numbers = sentences.compared(gap(right, right))
    assert words == "the same as"
    assert numbers == "no difference at all"


def test_a_model_is_compared_with_each_other_one():
    up, either = Gap(0.01, (0.005, 0.015), (0.005, 0.015)), Gap(0.001, (-0.01, 0.012), (0.0, 0.002))
    names = {"a": "the first", "b": "the second", "c": "the third"}
    verdict, numbers = sentences.against({"a": either, "b": up, "c": either}, names)
    assert verdict == "not to be told apart from the first and the third, and better than the second"
    assert numbers[0].startswith("Beside the first, +0.10 percentage points (")
    assert len(numbers) == 3
    worse = Gap(-0.01, (-0.015, -0.005), (-0.015, -0.005))
    three, _ = sentences.against({"a": either, "b": up, "c": worse}, names)
    assert three == "not to be told apart from the first, better than the second, and worse than the third"
    assert sentences.against({"b": up}, names)[0] == "better than the second"


def test_more_comparisons_find_more_by_luck():
    assert "5 of 100 such intervals" in sentences.by_luck(1)
    assert "any of the 4, one would be told in up to 19 of 100 cases" in sentences.by_luck(4)


@pytest.mark.parametrize(
    ("words", "text"), [([], ""), (["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")]
)
def test_words_are_listed(words, text):
    assert sentences.listed(words) == text


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([0.88, 0.80, 0.70], "Beside the best, all others are so far from it that 6,000 images tell them apart."),
        (
            [0.88, 0.875, 0.70],
            "One other run is so close to the best that 6,000 images do not tell them apart; the remaining one is",
        ),
        ([0.88, np.nan], "There is no other run to tell the best from."),
        ([0.70, 0.875, 0.88, 0.87, np.nan], "2 others are so close"),
        (
            [0.88, 0.88],
            "One other run is so close to the best that 6,000 images do not tell them apart; and there is no",
        ),
    ],
)
def test_runs_that_some_images_do_not_tell_apart_are_called_close(values, said):
    """At 88 % of 6,000 images, two shares differ by less than 1.96 √2 · 0.42 = 1.16 points in 95 of 100 cases."""
    assert sentences.close_to_best(values, 6000).startswith(said)


def test_close_ends_where_two_standard_errors_do():
    assert "1 run" not in sentences.close_to_best([0.88, 0.8685], 6000)
    assert sentences.close_to_best([0.88, 0.8685], 6000).startswith("One other")
    assert sentences.close_to_best([0.88, 0.8675], 6000).startswith("Beside the best, all others")


def test_what_is_close_by_images_is_not_said_to_be_close_by_seeds():
    for values in ([0.88, 0.70], [0.88, 0.875]):
        assert "chance of images alone: another seed moves each of them as well" in sentences.close_to_best(
            values, 6000
        )


def test_a_choice_holds_seed_by_seed():
    images = np.array([0.03, 0.0, 0.01, 0.02, 0.015])
    best, near, far = 0.9 + images, 0.9 + images[::-1], 0.88 + images
    said = sentences.holding([best, near, far, [0.9, None, 0.9, 0.9, 0.9]])
    assert said.startswith("Seed by seed, and for all 2 others at once, it is better than 1 of the others, and not to ")
    assert "With further seeds alone, the 3 come to 1.25 points less on average" in said  # 1.875, 0 and 1.875
    assert "Seed by seed, it is better than the other." in sentences.holding([best, far])
    assert "not to be told apart from any of the others" in sentences.holding([best, near, near])
    assert sentences.holding([best]).startswith("With further seeds alone")


def test_correlations_are_beyond_chance_alone_or_among_many():
    said = sentences.beyond_chance({"a": -0.77, "b": 0.51, "c": 0.1}, 0.41, 0.5)
    assert said.startswith(
        "Beyond ±0.41: a (-0.77) and b (+0.51). Chance alone takes one in twenty so far, 0.2 of the 3"
    )
    assert said.endswith(
        "Beyond ±0.50, as far as it takes the largest of 3 once in twenty times: a (-0.77) and b (+0.51)."
    )
    assert sentences.beyond_chance({"b": 0.51}, 0.41, 0.6).endswith(": none.")


def test_two_searches_are_compared_for_the_same_epochs():
    random = pd.DataFrame({"epochs": [10, 5, 10], "accuracy": [0.5, 0.7, 0.6], "status": "finished"})
    learning = pd.DataFrame({"epochs": [10, 1, 1, 10, 10], "accuracy": [0.6, None, None, 0.8, 0.9]})
    learning["status"] = ["finished", "stopped", "stopped", "finished", "finished"]
    text = sentences.second_search(random, learning, lambda rows: f"{rows['accuracy'].max():.0%}")
    assert text.startswith(
        "For 25 epochs, the random search came to 70% at best, in 3 runs, and the one that learns to"
    )
    assert "to 80%, in 4 runs, 2 of them stopped early." in text
    text = sentences.second_search(random, learning[:1], lambda rows: f"{rows['accuracy'].max():.0%}")
    assert "For 10 epochs" in text
    assert "50% at best, in 1 run, and the one that learns to 60%, in 1 run." in text


def test_only_a_share_that_is_surely_above_its_part_decides():
    shares = pd.DataFrame({"mean": [0.6, 0.3, 0.1], "low": [0.4, 0.3, 0.0]}, index=["layers", "loss", "seed"])
    two_each = dict.fromkeys(shares.index, 2)
    assert sentences.deciding(shares, two_each) == "More than its part, and than chance gives, is decided by layers"
    assert sentences.deciding(shares.assign(low=0.34), two_each).endswith("by layers, loss and seed")
    assert sentences.deciding(shares.assign(low=0.33), two_each).startswith("No parameter stands out")
    assert sentences.deciding(shares, two_each | {"layers": 4}).startswith("No parameter stands out")  # its part: 3/5


def test_chance_alone_gives_more_to_a_parameter_of_more_values():
    """What PED-ANOVA makes of runs whose results are drawn by chance."""
    rng, sizes = np.random.default_rng(0), {"two": 2, "three": 3, "five": 5}
    kinds = {name: optuna.distributions.CategoricalDistribution(range(size)) for name, size in sizes.items()}
    evaluator, shares = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=0.5), []
    for _ in range(60):
        study = optuna.create_study(direction="maximize")
        for _ in range(24):
            params = {name: int(rng.integers(size)) for name, size in sizes.items()}
            study.add_trial(optuna.create_trial(params=params, distributions=kinds, value=rng.random()))
        shares.append(optuna.importance.get_param_importances(study, evaluator=evaluator))
    means = pd.DataFrame(shares).mean()
    assert means["two"] == pytest.approx(1 / 7, abs=0.06)
    assert means["five"] == pytest.approx(sentences.parts(sizes)["five"], abs=0.06)
    assert sentences.parts(sizes)["five"] == pytest.approx(4 / 7)
    assert sentences.parts(sizes)["two"] == pytest.approx(1 / 3)  # if all decided alike


@pytest.mark.parametrize(
    ("shares", "said"),
    [
        ((0.80, 0.70), "Cross-entropy forgives"),
        ((0.70, 0.80), "Squared error forgives"),
        ((0.75, 0.74), "Neither loss is seen"),
        ((0.50, 0.56), "Neither loss is seen"),
    ],
)
def test_a_loss_forgives_where_its_gap_is_more_than_chance(shares, said):
    verdict, numbers = sentences.forgiving(*shares, 500)  # the gap's standard error is at most 3.2 points
    assert verdict.startswith(said)
    assert numbers.startswith(f"{100 * (shares[0] - shares[1]):+.1f} points")
    assert numbers.endswith("over images, one network each")


@pytest.mark.parametrize(
    ("width", "said"),
    [
        (
            {"sgd": 0.1, "adam": 0.5, "nag": 0.2},
            "Every memory widens the range of good learning rates:** 0.1 decades for sgd",
        ),
        (
            {"sgd": 0.3, "adam": 0.5, "nag": 0.2},
            "A memory widens the range of good learning rates for 1 of 2 optimizers",
        ),
        ({"sgd": 0.5, "adam": 0.5, "nag": 0.2}, "No memory widens"),
    ],
)
def test_a_memory_widens_what_it_widens(width, said):
    assert said in sentences.range_of_rates(width)


@pytest.mark.parametrize(
    ("leaders", "said"),
    [
        ({}, "none learnt anything"),
        ({0.1: "sgd", 1.0: "sgd"}, "The same optimizer leads at each of 2 rates:** sgd"),
        ({0.1: "adam", 1.0: "sgd"}, "there are 2 different winners, of one run each"),
    ],
)
def test_who_leads_depends_on_the_rate_or_not(leaders, said):
    assert said in sentences.by_rate(leaders)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (0.88 + NARROW, "3 of these 3 networks reach it; it lies 1.00 points below their mean"),
        (0.86 + NARROW, "none of these 3 networks reaches it; it lies 1.00 points above their mean"),
        (0.87 + WIDE, "2 of these 3 networks reach it, and a seed alone may make so much"),
        (0.865 + WIDE, "1 of these 3 networks reaches it, and a seed"),
        (0.855 + WIDE, "none of these 3 networks reaches it, and a seed"),
    ],
)
def test_what_was_reported_is_within_the_luck_of_a_seed_or_not(values, said):
    assert sentences.exceeds(values, 0.87).startswith(said)


def test_a_class_gains_or_loses_where_its_interval_says_so():
    up, down, either = [50, 51, 52], [-92, -91, -90], [-5, 1, 6]
    assert sentences.class_gains({"Coat": up, "Bag": either, "Shirt": down}) == "gains on Coat, and loses on Shirt"
    assert (
        sentences.class_gains({"Coat": up, "Bag": [80, 81, 82]})
        == "gains on Bag and Coat, and loses on none beyond doubt"
    )
    assert sentences.class_gains({"Bag": down}) == "gains on no class, and loses on Bag"
    assert sentences.class_gains({"Bag": either}) == "neither gains nor loses on any class beyond doubt"


def test_of_ten_classes_a_gain_must_be_larger_to_be_beyond_luck():
    """Means of five seeds, 4 standard errors from 0: beyond 2.776 for one class, within 5.598 for ten."""
    one = {"Coat": np.array([-2, -1, 0, 1, 2]) + 4 * 0.5**0.5}
    others = {str(k): [-1, 0, 1, 0, 0] for k in range(9)}
    assert sentences.class_gains(one) == "gains on Coat, and loses on none beyond doubt"
    assert sentences.class_gains(one | others) == "neither gains nor loses on any class beyond doubt"


@pytest.mark.parametrize(
    ("ps", "said"),
    [([0.01, 0.02], "for each of 2"), ([0.5, 0.03], "for none of 2"), ([0.01, 0.5], "for 1 of 2 seeds,")],
)
def test_splits_are_counted_that_luck_does_not_explain(ps, said):
    assert sentences.uneven(ps).startswith(f"($p \\lt 0.025$, 0.05 shared among 2 tests) {said}")


def test_networks_part_by_configuration_or_by_seed():
    assert "on 600 of 10,000 images" in sentences.parted(600, 300, 10_000)
    assert sentences.parted(600, 300, 10_000).endswith("another seed alone does 50% of that.")
    assert sentences.parted(581, 638, 10_000).endswith("no further than another seed does.")


def test_what_is_true_of_the_mean_is_counted_over_seeds():
    assert sentences.shared_by("a", ["a", "b", "a"]) == "for 2 of 3 seeds"


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (0.011, 0.015, "It is 1.3 points surer than it should be"),
        (-0.015, -0.011, "It is 1.3 points less sure than it should be"),
        (-0.011, 0.015, "Whether it is too sure is not to be told"),
    ],
)
def test_confidence_is_above_or_below_accuracy_or_nothing_is_said(low, high, said):
    words, numbers = sentences.trusted(Gap(np.sign(low + high) * 0.013, (low, high), (low, high)))
    assert words == said
    assert "over test images" in numbers


def test_calibration_is_compared_with_each_other_model():
    errors = {"chosen": 0.02 + NARROW, "headline": 0.01 + NARROW, "scikit-learn": 0.01 + NARROW}
    assert sentences.calibrated(errors, "chosen") == "worse calibrated than headline and scikit-learn"
    errors["scikit-learn"] = 0.03 + NARROW
    said = "worse calibrated than headline; better calibrated than scikit-learn"
    assert sentences.calibrated(errors, "chosen") == said
    assert sentences.calibrated(errors | {"headline": 0.021 + WIDE[::-1]}, "chosen").startswith("not to be told apart")


def test_calibration_of_the_very_same_networks_is_the_same():
    """As where the search has chosen what is the best of all."""
    errors = {"chosen": 0.02 + NARROW, "best of all": 0.02 + NARROW, "headline": 0.01 + NARROW}
    said = "worse calibrated than headline; calibrated the same as best of all"
    assert sentences.calibrated(errors, "chosen") == said


def test_calibration_of_strangers_is_compared_without_pairs():
    """Pairs alone would tell these two apart, in an order that is arbitrary; in another they would not."""
    ours, theirs = np.array([1.0, 2, 3, 4]), np.array([1.1, 2.1, 3.1, 4.2])
    errors = {"chosen": ours, "other": theirs}
    assert sentences.calibrated(errors, "chosen") == "better calibrated than other"
    assert sentences.calibrated(errors, "chosen", strangers=["other"]) == "not to be told apart from other"
