"""Figures of a whole search space: what they draw is what they were given."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from lab.pages import spaces


@pytest.fixture
def ax():
    _, ax = plt.subplots()
    yield ax
    plt.close("all")


def test_the_distribution_counts_every_configuration(ax):
    values, kinds = np.linspace(0.1, 0.9, 60), np.repeat([0.5, 0, 0.0005], 20)
    spaces.distribution(ax, values, kinds, "weight_decay")
    assert sum(patch.get_height() for patch in ax.patches) == 60
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["0.0", "0.0005", "0.5"]


def test_shares_stand_on_and_below_the_diagonal(ax):
    matrix = pd.DataFrame([[0.5, 0.2], [0.2, 0.0001]], index=["a", "b"], columns=["a", "b"])
    spaces.shares(ax, matrix)
    assert [text.get_text() for text in ax.texts] == ["50", "20", ""]


def test_regrets_are_medians_and_begin_where_all_have_something(ax):
    budgets = [10, 20, 40]
    regret = np.array([[np.nan, 4.0, 1.0], [3.0, 2.0, 0.0], [5.0, 3.0, 2.0]])
    spaces.regrets(ax, {"random": regret}, budgets)
    [line] = [line for line in ax.lines if len(line.get_xdata())]  # the rest is the legend's
    assert line.get_xdata().tolist() == [20, 40]
    assert line.get_ydata().tolist() == [3.0, 1.0]
    assert ax.get_xscale() == ax.get_yscale() == "log"
    band = ax.collections[0].get_paths()[0].vertices
    assert {tuple(corner) for corner in band.round(6).tolist()} == {(20, 2.5), (20, 3.5), (40, 0.51), (40, 1.5)}


def test_regrets_to_be_read_are_quantiles_and_begin_where_all_have_something():
    regret = np.array([[np.nan, 4.0, 1.0], [3.0, 2.0, 0.0], [5.0, 3.0, 2.0]])
    median, most = spaces.regrets_of({"random": regret}, [10, 20, 40]).values()
    assert median.index.tolist() == [10, 20, 40]
    np.testing.assert_allclose(median["random"], [np.nan, 3, 1])
    np.testing.assert_allclose(most["random"], [np.nan, 3.8, 1.8])  # four fifths of the way from the second to the last


def test_seeds_are_drawn_in_per_cent(ax):
    spaces.seeds(ax, [0.8, 0.9], [0.85, 0.7], ("seed 0", "seed 1"))
    np.testing.assert_allclose(ax.collections[0].get_offsets(), [[80, 85], [90, 70]])


def test_confirmations_are_a_grid(ax):
    table = pd.DataFrame({"best": [1, 1, 5, 5], "seeds": [1, 2, 1, 2], "close": [0.1, 0.2, 0.3, 0.994]})
    spaces.confirmations(ax, table)
    assert [text.get_text() for text in ax.texts] == ["10", "20", "30", "99"]
