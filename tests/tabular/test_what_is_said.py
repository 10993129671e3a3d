"""What chapter 7 says follows from the numbers that it is given, in each of its branches."""

import numpy as np
import pandas as pd

from lab.tabular import words
from lab.tabular.cube import Cube


def made_up(seeds=2, missing=0):
    accuracy = np.full((4860, seeds, 10), 0.8)
    accuracy[:missing] = np.nan
    return Cube(accuracy, tuple(range(seeds)))


def test_what_needs_more_than_there_is_says_so():
    assert words.left_out(made_up(3), 3) == ""
    assert "of which 50% is there" in words.left_out(made_up(1, 2430))
    assert "2 seeds of every configuration, and the table has 1" in words.left_out(made_up(1), 2)


def test_how_good_it_gets():
    best = pd.DataFrame({"validationaccuracy": [0.9], "low": [0.897], "high": [0.903], "seeds": [5]})
    text = words.good(best, made_up(), 38, 972)
    assert "best of 9,720 configurations is right for 90.00%" in text
    assert "mean of 5 seeds, 95 % interval ± 0.30 points, which does not count that it was chosen)" in text
    assert "37 lie within 0.5 points of it, by accuracies with as much chance in them" in text
    assert "1 lies within" in words.good(best, made_up(), 2, 972)
    assert "below 80.0%, and 10% have learnt nothing by their end" in text


def test_how_much_of_the_best_is_luck_is_said_where_it_can_be():
    best = pd.DataFrame({"validationaccuracy": [0.9], "low": [0.897], "high": [0.903], "seeds": [2]})
    said = words.good(best, made_up(), 38, 972)  # where all are equal, what is best by one seed has 80 % by the other
    assert "What is best by all seeds but one is right for 80.00% with that one, on average: so much is left" in said
    said = words.good(best.assign(seeds=1), made_up(1), 38, 972)
    assert "(one seed, " in said
    assert "How much of its height is luck, one seed does not say." in said


def test_what_learns_nothing():
    shares = pd.DataFrame({"parameter": ["a", "b"], "value": [1, 0.5], "among": [0.5, 0.9], "all": [0.5, 0.33]})
    text = words.lost(shares, 0.3)  # 0.3 of all learn nothing, 0.27 with b 0.5, of 0.33 that have it
    assert text == (
        "Of those that have learnt nothing by their end, 90% have b 0.5, and of all that have it, 82% have learnt "
        "nothing."
    )


def test_searches_are_not_replayed_on_so_few_that_they_would_run_through_them():
    assert words.too_few(made_up(1, 3860), 200) == ""
    assert "With 1,998 configurations, a search of 200 runs would go" in words.too_few(made_up(1, 3861), 200)


def test_what_decides():
    index = pd.Index([("a",), ("b",), ("a", "b")], tupleize_cols=False)
    text = words.decides(pd.Series([0.7, 0.1, 0.2], index), pd.Series([0.2, 0.5, 0.3], index))
    assert "**a** alone makes 70% of the variance, and single parameters together 80%" in text
    shares = "single parameters together make 70.0%, pairs 30.0%, and more than two at once 0.0%"
    assert f"**b** makes most, 50%; {shares}" in text
    assert text.endswith("one seed does not say; most of it would lie in the last.")
    noise = pd.Series([0.01, 0.002, 0.05], index)
    text = words.decides(pd.Series([0.7, 0.1, 0.2], index), pd.Series([0.2, 0.5, 0.3], index), noise)
    assert (
        "the luck of seeds makes 6.20% of the variance: 1.20% in single parameters, 5.00% in pairs, and 0.00%" in text
    )


def test_what_few_runs_make_of_it():
    exact = pd.Series({"a": 0.6, "b": 0.2, "c": 0.0, "unknown": 0.5})
    few = pd.DataFrame({"mean": [0.75, 0.25, 0.0], "low": [0.5, 0.1, 0.0], "high": [0.9, 0.4, 0.1]}, index=list("abc"))
    values = dict.fromkeys("abc", 2)
    alike = words.estimated(exact, few, 24, values)
    assert "puts a first by 24 random runs, with 75% (95 of 100 samples of the runs: 50% to 90%). By the exact" in alike
    assert "By the exact shares, it is the most important, too. The orders agree" in alike
    assert "correlation of 1.00; a share is off by 0 points" in alike
    other = words.estimated(exact, few.assign(mean=[0.2, 0.5, 0.3], low=0.1), 24, values)
    assert "puts b first by 24 random runs, with 50%" in other
    assert "which does not stand out from what chance gives it. By the exact shares, the most important is a" in other
    assert "which does not stand out" in words.estimated(exact, few, 24, values | {"a": 5})  # its part: 4/6


def judged(medians, level=()):
    """As `replays.judged` has it: intervals 0.1 points wide."""
    rows = pd.DataFrame({"median": medians}).rename_axis("search")
    rows["nine in ten"] = 2 * rows["median"]
    for what in ("median", "nine in ten"):
        rows[f"{what}, from"], rows[f"{what}, to"] = rows[what] - 0.05, rows[what] + 0.05
    return rows.assign(level=[name in level for name in rows.index]).sort_values("median")


def summary(level=(), **medians):
    after = {24: {"bayes": 9.0}, 48: medians}
    return pd.concat([judged(regret, level).reset_index().assign(runs=runs) for runs, regret in after.items()])


def test_which_search_lacks_least():
    text = words.searches(summary(random=0.8, bayes=0.5, grid=3.0), 48)
    assert text == (
        "After 48 runs, **bayes** lacks least: 0.50 (95 % interval 0.45 to 0.55) points in the median, and at most "
        "1.00 (95 % interval 0.95 to 1.05) nine times in ten. All others lack more. Most is lacking to grid, 3.00. "
        "Random search lacks 0.80."
    )
    assert "Random" not in words.searches(summary(random=0.1, bayes=0.5), 48)
    text = words.searches(summary(["bayes", "random"], random=0.52, bayes=0.5, grid=3.0), 48)
    assert "So many replays do not tell it apart from random, 0.52. Most is lacking to grid" in text
    text = words.searches(summary(["bayes", "random", "grid"], random=0.52, bayes=0.5, grid=0.53), 48)
    assert text.endswith("do not tell it apart from random, 0.52; grid, 0.53.")


def test_what_is_cheapest():
    priced = judged({"halving": 0.2, "random": 0.3})
    assert words.bargain(priced, 360).startswith("For 360 epochs, **halving** lacks least: 0.20 (95 % interval 0.15 to")
    assert words.bargain(priced, 360).endswith("All others lack more.")
    assert words.bargain(priced.assign(level=True), 360).endswith("do not tell it apart from random, 0.30.")
    assert words.bargain(priced[:1], 360).endswith("nine times in ten.")


def test_what_one_seed_is_worth():
    text = words.luck(pd.DataFrame({"place": [7, 1200]}), 0.31, 0.62, (0.25, 1.1), 48)
    assert "place 7 and 1,200" in text
    assert "by 0.25 points (standard deviation), beside what it moves all alike, up to 1.10 between 2 seeds" in text
    assert "62% of the time, by the mean over all seeds, its own included" in text
    assert "flatters it by 0.31 points" in text


def test_what_rounding_alone_moves():
    assert "differ from it by 0.50 points (root of the mean square), and by up to 0.70" in words.repeated(
        np.array([-0.7, 0.1])
    )
    assert words.repeated(np.zeros(3)).endswith(
        "3 runs of a sweep that learn are in the table, too, with the same seed, "
        "weights and images: they came out the same."
    )
    assert words.repeated(np.array([1.0])).startswith("Too few runs")


def test_how_far_seeds_agree():
    assert words.agreement(0.96, 0.5).endswith("correlation of 0.96, in what is the best tenth by other seeds 0.50.")
    assert "0.96; in the best tenth it cannot be told" in words.agreement(0.96, float("nan"))


def test_what_another_machine_changes_is_less_for_a_mean():
    told = words.rounded(np.array([0.3, -0.4, 0.0, 0.5]), seeds=5)["What another machine changes"]
    assert told["value"] == "0.16 points"  # the mean of the squares is 0.125
    assert "in a mean of 5 seeds" in told["note"]
    assert "of 4 runs" in told["note"]
    assert words.rounded(np.array([0.3]), seeds=5) == {}


def test_what_a_confirmation_needs():
    table = pd.DataFrame(
        {"best": [1, 5, 10], "seeds": [1, 5, 5], "further runs": [0, 20, 40], "close": [0.55, 0.91, 0.95]}
    )
    table = table.assign(low=table["close"] - 0.02, high=table["close"] + 0.02)
    text = words.confirmation(table.iloc[1], table)
    assert "55% (95 % interval 53% to 57%) of the time; with its best 5 confirmed by 5 seeds, in 20 further" in text
    assert text.endswith("91% (95 % interval 89% to 93%).")
    text = words.confirmation(None, table)
    assert "is sure to bring this to nine in ten; 10 candidates with 5 seeds bring it to 95% (95 % interval 93%" in text


def test_replays_made_again():
    assert words.again(6, 6).startswith("All 6 that were made again")
    assert "5 of 6" in words.again(5, 6)


def test_what_to_do_then():
    priced = judged({"bayes": 0.2, "random": 0.25}, level=["bayes", "random"])
    enough = pd.Series({"best": 5, "seeds": 3, "further runs": 10, "close": 0.92, "low": 0.9, "high": 0.94})
    rows = summary(bayes=0.5, random=0.8)
    whole = words.then("layers 2 (95%)", "Of those ...", rows, priced, 360, enough)
    assert len(whole) == 5
    assert whole[0].startswith("**Search by bayes**: for 360 epochs it lacks 0.20 (95 % interval 0.15 to 0.25) points")
    assert whole[0].endswith("So many replays do not tell it apart from random, 0.25.")
    assert "from 24 to 48 runs, bayes brings its regret from 9.00 to 0.50 points" in whole[1]
    assert "best 5 of a search again until each has 3 seeds" in whole[4]
    assert "92% (95 % interval 90% to 94%) of the time" in whole[4]
    alone = words.then("", "", rows, priced, 360, None, seeds=1)
    assert alone[-1].endswith(
        "(One seed chose and judged: by others, a search lacks something even if it has seen all.)"
    )
    assert words.then("", "", None, None, 360, None) == ["**Wait**: what is there says too little yet."]
    assert len(words.then("", "", summary(random=0.8), judged({"random": 0.2}), 360, None)) == 1


def test_what_a_confirmation_is_worth_to_each_search():
    columns = ["one seed, median", "one seed, nine in ten", "confirmed, median", "confirmed, nine in ten"]
    table = pd.DataFrame([[0.5, 1.2, 0.4, 0.9], [0.3, 0.8, 0.2, 0.85]], index=["random", "bayes"], columns=columns)
    table = table.assign(level=[False, True], runs=[48, 90]).assign(**{"one seed, fair": [0.3, 0.07]})
    table["from"], table["to"] = table["confirmed, median"] - 0.05, table["confirmed, median"] + 0.05
    text = words.plans(table, (5, 3), 360, 2)
    assert "searches for 360 epochs with their best 5 confirmed by 3 seeds, in 10 further runs, **bayes**" in text
    assert "which has 90 runs, lacks least" in text
    assert "what bayes names by one seed is 0.07 points below what the whole table names" in text
    assert "is 0.10 points above what" in words.plans(table.assign(**{"one seed, fair": -0.1}), (5, 3), 360, 2)
    assert "0.20 points in the median (95 % interval 0.15 to 0.25), and at most 0.85 nine times in ten" in text
    assert "by one seed alone 0.30 and 0.80. All others lack more." in text
    assert "changes by -0.30 to +0.05 points" in text
    assert "do not tell it apart from random, 0.40" in words.plans(table.assign(level=True), (5, 3), 360, 2)


def test_what_the_good_ones_share():
    assert (
        words.shared("layers 2 (95%)", 12) == "Of these 12, at least nine in ten have, value by value: layers 2 (95%)."
    )
    assert words.shared("", 12) == "These 12 share no value."
    assert words.shared("layers 2 (100%)", 2).startswith("Only 2 lie so near the best: too few")


def test_what_regrets_rest_on():
    whole = words.judged(made_up(3))
    assert "all share this table and its 3 seeds" in whole
    assert "one of the 3 seeds of the judge is the one that the search saw, which makes them too small" in whole
    assert "The space here is" not in whole
    assert "The space here is the 2,000 configurations that are there." in words.judged(made_up(3, 3860))
    assert "one seed" in words.judged(made_up(1))
    assert "a search that saw all would lack nothing" in words.judged(made_up(1))


def test_how_well_worth_is_known_is_the_error_of_a_mean_over_seeds():
    rng = np.random.default_rng(0)
    noise = np.repeat(0.004 * rng.normal(size=(4860, 3, 1)), 10, axis=2)
    worth = np.linspace(0.5, 0.9, 4860)[:, None, None]  # so wide that luck hardly decides which are the best tenth
    assert f"is known to ± {100 * 1.96 * 0.004 / 3**0.5:.2f} points" in words.judged(Cube(worth + noise, (0, 1, 2)))
