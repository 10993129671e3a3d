"""What chapter 8 says follows from the numbers that it is given, in each of its branches."""

import numpy as np
import pandas as pd
import pytest

from lab.evaluation.scores import Gap
from lab.far import survey, words


def progress(there, planned):
    return pd.DataFrame({"trained": [there], "planned": [planned]}, index=["ladder"])


def found(**ends):
    """Differences from their ends, in points."""
    rows = {name.replace("_", " "): [(low + high) / 200, low / 100, high / 100] for name, (low, high) in ends.items()}
    return pd.DataFrame.from_dict(rows, orient="index", columns=["difference", "low", "high"])


def each(*rows):
    return pd.DataFrame(rows, index=["start", "wide", "deep"][: len(rows)])


def test_what_is_lacking_is_said_with_its_numbers_and_what_to_do():
    assert words.lacking(progress(5, 5), "ladder") == ""
    assert words.lacking(progress(4, 5), "ladder").startswith("Of the ladder, 4 of 5 trainings are there; `make far`")
    assert words.lacking(progress(0, 5), "ladder").startswith("**Not trained yet**: the ladder. `make far` trains it")


def test_only_what_says_something_is_joined():
    assert words.joined("", "One.", "", "Two.") == "One. Two."
    assert words.joined("") == ""


def test_an_interval_gives_its_word_and_one_seed_none():
    rows = found(up=(0.1, 0.3), down=(-0.3, -0.1), open=(-0.1, 0.1), edge=(0, 0.2), one=(np.nan, np.nan))
    assert words.verdicts(rows) == ["more", "less", "not to be told apart", "not to be told apart", ""]


def test_a_climb_is_told_from_its_first_to_its_last_and_each_rung_by_its_word():
    text = words.climbed(each([0.88, 0.89], [0.91, 0.92], [0.91, 0.91]), found(wide=(2, 4), deep=(-1, 0.5)))
    assert text == (
        "**2 rungs lead from 88.50% to 91.00% of the validation images**, means of 2 seeds. By intervals that hold for "
        "all rungs at once, above the rung before it: wide (+3.00); not to be told apart from it: deep (-0.25)."
    )
    text = words.climbed(each([0.91, 0.91], [0.90, 0.90]), found(wide=(-2, -1)))
    assert text.startswith("**1 rung leads from 91.00% to 90.00%")
    assert text.endswith("below it: wide (-1.50).")


def test_a_climb_with_one_seed_says_that_it_may_be_luck():
    rows = each([0.88], [0.91], [0.905])
    text = words.climbed(rows, survey.rungs(rows))
    assert "with one seed each; the largest step is wide (+3.00 points)" in text
    assert "one seed does not say" in text
    assert "interval" not in text
    assert words.climbed(rows[:1], survey.rungs(rows[:1])) == ""


def test_what_each_is_worth_is_told_by_its_word():
    rows = found(without_dropout=(-1, -0.4), with_shifts=(0.2, 0.4), without_mixup=(-0.2, 0.1))
    assert words.worth(rows) == (
        "By intervals that hold for all at once, better than the whole: with shifts (+0.30); worse than the whole: "
        "without dropout (-0.70); not to be told apart from the whole: without mixup (-0.05)."
    )
    one = rows.assign(low=np.nan, high=np.nan)
    assert "the largest change is that without dropout (-0.70 points). What of it is luck" in words.worth(one)
    assert words.worth(rows[:0]) == ""


def scouted(accuracies, rates):
    return pd.DataFrame({"dropout": rates, "validationaccuracy": accuracies})


def test_a_sweep_is_told_with_what_goes_with_accuracy():
    text = words.scouted(scouted(np.linspace(0.95, 0.85, 12), np.linspace(0, 0.5, 12)), ["dropout"])
    assert text.startswith("**The best of 12 recipes is right for 95.00% of the validation images**")
    assert "Rank correlations of parameters with accuracy beyond ±0.59: dropout (-1.00)." in text
    text = words.scouted(scouted([0.9, 0.91, 0.89], [0.1, 0.2, 0.3]), ["dropout"])
    assert text.endswith("They are too few to say what matters.")
    assert words.scouted(scouted([], []), ["dropout"]) == ""


def test_the_best_of_the_long_sweep_is_named_with_those_that_it_is_not_told_apart_from():
    rows = pd.DataFrame([[0.92, 0.92], [0.915, 0.915], [0.90, 0.90]], index=["a", "b", "c"])
    text = words.longest(rows, found(b=(-1, 0.2), c=(-3, -1)))
    assert text.startswith("**Best is a**, right for 92.00% of the validation images, the mean of 2 seeds.")
    assert text.endswith("worse: c (-2.00); not to be told apart from it: b (-0.40).")
    assert "with one seed" in words.longest(rows[[0]], survey.changes(rows[[0]], "a"))
    assert words.longest(rows[:0], survey.changes(rows[:0], "a")) == ""


def test_a_winner_of_whom_too_few_are_there_is_not_judged():
    assert words.untested(2, 5) == words.untested(5, 5) == ""
    assert "with 5 seeds; one of them is there" in words.untested(1, 5)
    assert "none of them is there yet" in words.untested(0, 5)


@pytest.mark.parametrize(
    ("accuracy", "goal", "published"),
    [
        ([0.921, 0.919, 0.92], "the goal of 92.0% is reached", "3 of these 3 networks reach it"),
        ([0.919, 0.918, 0.92], "the goal of 92.0% is missed by 0.10 points", "3 of these 3 networks reach it"),
        ([0.910, 0.911, 0.912], "the goal of 92.0% is missed by 0.90 points", "none of these 3 networks reaches it"),
    ],
)
def test_the_winner_is_held_against_what_was_hoped_for_and_what_is_published(accuracy, goal, published):
    text = words.winner(accuracy, 10_000, 44.4)
    assert text.startswith(f"**3 networks of the winner are right for {np.mean(accuracy):.2%} of the test images")
    assert goal in text
    assert f"(repository anokland/local-loss), has 91.63%: {published}" in text
    assert text.endswith("Each was trained for 44 minutes of one core.")


def test_the_interval_of_the_winner_is_that_of_its_seeds():
    assert "95 % interval 91.75% to 92.25% over seeds" in words.winner([0.921, 0.919, 0.92], 10_000, 1)


def test_together_is_better_only_if_both_intervals_say_so():
    assert "Together they are better than one of them alone, on average: +0.50" in words.together(
        0.925, Gap(0.005, (0.003, 0.007), (0.002, 0.008)), 5
    )
    text = words.together(0.924, Gap(0.005, (0.003, 0.007), (-0.002, 0.008)), 5)
    assert "**Together, the 5 are right for 92.40%**: the goal of 92.5% is missed by 0.10 points." in text
    assert "Together they are not to be told apart from one of them alone" in text


def test_confidence_is_held_against_accuracy_alone_and_together():
    excess = np.tile([-0.1, -0.06], 500)
    text = words.calibrated(Gap(-0.05, (-0.06, -0.04), (-0.06, -0.04)), excess, (0.05, 0.08))
    assert "The confidence of one network, on average, is below its accuracy: -5.00 percentage points" in text
    assert "That of all together is below theirs: -8.00 percentage points" in text
    assert "ECE 5.0%" in text
    assert text.endswith("ECE 8.0%.")
    text = words.calibrated(Gap(0.05, (0.04, 0.06), (0.04, 0.06)), np.tile([0.1, -0.1], 500), (0.05, 0.0))
    assert "is above its accuracy" in text
    assert "is not to be told apart from theirs" in text


def test_classes_gain_by_intervals_and_the_whole_by_both():
    gains = {"Coat": [10, 11, 12], "Shirt": [-3, 3, 1], "Bag": [-20, -21, -22]}
    text = words.classes(Gap(0.03, (0.02, 0.04), (0.02, 0.04)), gains)
    assert text.startswith("The winner is better than the start of the ladder, +3.00")
    assert text.endswith("it gains on Coat, and loses on Bag.")


def test_mistakes_are_counted_as_all_and_as_common_ones():
    found = pd.DataFrame({"sure": [0.95, 0.85, 0.7, 0.9], "agreed": [3, 3, 3, 2]})
    assert words.mistaken(found, 3) == (
        "Together they make 4 mistakes. In 3 of these all 3 say the same, and of 2 of those they are more than 80% "
        "sure together."
    )


def test_the_twin_is_compared_once_both_have_two_seeds():
    assert "`make twin` trains it" in words.twin([0.92, 0.921], [])
    assert words.twin([0.92, 0.921], [0.91]).endswith("by 1 seed: two of ours and of theirs are needed to compare.")
    ours, theirs = [0.920, 0.921, 0.922], [0.910, 0.911, 0.912]
    assert "the mean of 3 seeds. Ours are better than theirs: +1.00 points" in words.twin(ours, theirs)
    assert "worse than theirs: -1.00 points" in words.twin(theirs, ours)
    assert "not to be told apart from theirs" in words.twin(ours, [0.919, 0.923])
