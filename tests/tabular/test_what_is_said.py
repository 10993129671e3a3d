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
    assert "mean of 5 seeds, 95 % interval ± 0.30 points" in text
    assert "37 lie within 0.5 points" in text
    assert "1 lies within" in words.good(best, made_up(), 2, 972)
    assert "below 80.0%, and 10% never learn" in text
    assert "(one seed, " in words.good(best.assign(seeds=1), made_up(1), 38, 972)


def test_what_never_learns():
    shares = pd.DataFrame({"parameter": ["a", "b"], "value": [1, 0.5], "among": [0.5, 0.9], "all": [0.5, 0.33]})
    text = words.lost(shares, 0.3)  # 0.3 of all never learn, 0.27 with b 0.5, of 0.33 that have it
    assert text == "Of those that never learn, 90% have b 0.5, and of all that have it, 82% never learn."


def test_searches_are_not_replayed_on_so_few_that_they_would_run_through_them():
    assert words.too_few(made_up(1, 3860), 200) == ""
    assert "With 1,998 configurations, a search of 200 runs would go" in words.too_few(made_up(1, 3861), 200)


def test_what_decides():
    index = pd.Index([("a",), ("b",), ("a", "b")], tupleize_cols=False)
    text = words.decides(pd.Series([0.7, 0.1, 0.2], index), pd.Series([0.2, 0.5, 0.3], index))
    assert "**a** alone makes 70% of the variance, and single parameters together 80%" in text
    assert "**b** makes most, 50%; single parameters together make 70%, pairs 30%, and more than two at once 0%" in text


def test_what_few_runs_make_of_it():
    exact = pd.Series({"a": 0.6, "b": 0.2, "c": 0.0, "unknown": 0.5})
    alike = words.estimated(exact, pd.Series({"a": 0.75, "b": 0.25, "c": 0.0}), 24)
    assert "takes a for the most important by 24 random runs, and so it is" in alike
    assert "correlation of 1.00; a share is off by 0 points" in alike
    other = words.estimated(exact, pd.Series({"a": 0.2, "b": 0.5, "c": 0.3}), 24)
    assert "takes b for the most important by 24 random runs, and that is a" in other


def summary(**medians):
    rows = [{"search": name, "runs": 48, "median": value, "nine in ten": 2 * value} for name, value in medians.items()]
    return pd.DataFrame([*rows, {"search": "bayes", "runs": 24, "median": 9.0, "nine in ten": 9.0}])


def test_which_search_lacks_least():
    text = words.searches(summary(random=0.8, bayes=0.5, grid=3.0), 48)
    assert text == (
        "After 48 runs, **bayes** lacks least: 0.50 points in the median, and at most 1.00 nine times in ten. "
        "grid lacks most, 3.00. Random search lacks 0.80."
    )
    assert "Random" not in words.searches(summary(random=0.1, bayes=0.5), 48)


def test_what_is_cheapest():
    priced = pd.DataFrame({"median": [0.2, 0.3], "ninth": [0.5, 0.6]}, index=["halving", "random"])
    assert words.bargain(priced, 360) == (
        "For 360 epochs, **halving** lacks least, 0.20 points in the median; next is random, 0.30."
    )
    assert words.bargain(priced[:1], 360).endswith("0.20 points in the median.")


def test_what_one_seed_is_worth():
    text = words.luck(pd.DataFrame({"place": [7, 1200]}), 0.31, 0.62, 0.25, 48)
    assert "place 7, 1,200" in text
    assert "62% of the time" in text
    assert "flatters it by 0.31 points" in text


def test_what_a_confirmation_needs():
    table = pd.DataFrame(
        {"best": [1, 5, 10], "seeds": [1, 5, 5], "further runs": [0, 20, 40], "close": [0.55, 0.91, 0.95]}
    )
    text = words.confirmation(table.iloc[1], table)
    assert "55% of the time; with its best 5 confirmed by 5 seeds, in 20 further runs, 91%" in text
    assert "10 candidates with 5 seeds bring it to 95%" in words.confirmation(None, table)


def test_replays_made_again():
    assert words.again(6, 6).startswith("All 6 that were made again")
    assert "5 of 6" in words.again(5, 6)


def test_what_to_do_then():
    priced = pd.DataFrame({"median": [0.2], "ninth": [0.5]}, index=["bayes"])
    enough = pd.Series({"best": 5, "seeds": 3, "further runs": 10, "close": 0.92})
    rows = summary(bayes=0.5, random=0.8)
    whole = words.then("layers 2 (95%)", "Of those ...", rows, priced, 360, enough)
    assert len(whole) == 5
    assert whole[0].startswith("**Search by bayes**: for 360 epochs it lacks 0.20 points")
    assert "from 24 to 48 runs, bayes brings its regret from 9.00 to 0.50 points" in whole[1]
    assert "best 5 of 48 again until each has 3 seeds" in whole[4]
    assert "92% of the time" in whole[4]
    assert words.then("", "", None, None, 360, None) == ["**Wait**: what is there says too little yet."]
    assert len(words.then("", "", summary(random=0.8), priced.rename({"bayes": "random"}), 360, None)) == 1


def test_what_a_confirmation_is_worth_to_each_search():
    columns = ["one seed, median", "one seed, nine in ten", "confirmed, median", "confirmed, nine in ten"]
    table = pd.DataFrame([[0.5, 1.2, 0.4, 0.9], [0.3, 0.8, 0.2, 0.85]], index=["random", "bayes"], columns=columns)
    text = words.plans(table, (5, 3), 48)
    assert "searches of 48 runs with their best 5 confirmed by 3 seeds, **bayes** lacks least" in text
    assert "0.20 points in the median, and at most 0.85 nine times in ten; by one seed alone 0.30 and 0.80" in text
    assert "changes by -0.30 to +0.05 points" in text


def test_what_the_good_ones_share():
    assert words.shared("layers 2 (95%)", 12) == "Nine in ten of these 12 share: layers 2 (95%)."
    assert words.shared("", 12) == "These 12 share no value."
    assert words.shared("layers 2 (100%)", 2).startswith("Only 2 lie so near the best: too few")


def test_what_regrets_rest_on():
    assert words.judged(made_up(3)) == ""
    assert "The space here is the 2,000 configurations that are there." in words.judged(made_up(3, 3860))
    assert "one seed" in words.judged(made_up(1))
