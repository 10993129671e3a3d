"""Figures of recipes: what they draw is what they were given."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from lab.pages import ladders


@pytest.fixture
def axes():
    _, axes = plt.subplots(1, 2, sharey=True)
    yield axes
    plt.close("all")


def test_a_climb_has_a_dot_for_each_seed_their_means_and_what_they_cost(axes):
    accuracies = pd.DataFrame([[0.88, 0.90], [0.91, 0.93]], index=["start", "wide"])
    ladders.climb(axes, accuracies, pd.Series({"start": 0.5, "wide": 2.5}))
    dots = np.concatenate([dots.get_offsets() for dots in axes[0].collections])
    assert sorted(map(tuple, np.round(dots, 6).tolist())) == [(88, 0), (90, 0), (91, 1), (93, 1)]
    [means] = [line for line in axes[0].lines if line.get_label() == "mean"]
    assert means.get_xdata().tolist() == pytest.approx([89, 92])
    assert [bar.get_width() for bar in axes[1].patches] == [0.5, 2.5]
    assert [text.get_text() for text in axes[1].texts] == ["0.5", "2.5"]


def test_changes_are_points_with_intervals_and_a_look_for_each_word(axes):
    rows = {"without a": [-0.01, -0.02, 0.0], "without b": [0.02, 0.01, 0.03], "with c": [0.0, -0.01, 0.01]}
    found = pd.DataFrame.from_dict(rows, orient="index", columns=["difference", "low", "high"])
    ladders.changes(axes[0], found, ["level", "more", "level"])
    level, more = (line for line in axes[0].lines if line.get_label() in ("level", "more"))
    assert level.get_xydata().round(6).tolist() == [[-1, 0], [0, 2]]
    assert more.get_xydata().round(6).tolist() == [[2, 1]]
    assert level.get_marker() != more.get_marker()
    ends = {bar[0, 1]: bar[:, 0].round(6).tolist() for bars in axes[0].collections for bar in bars.get_segments()}
    assert ends == {0: [-2, 0], 1: [1, 3], 2: [-1, 1]}
    assert [text.get_text() for text in axes[0].get_yticklabels()] == list(rows)
    assert [text.get_text() for text in axes[0].get_legend().get_texts()] == ["level", "more"]


def test_one_seed_has_points_without_intervals(axes):
    found = pd.DataFrame({"difference": [0.01], "low": np.nan, "high": np.nan}, index=["without a"])
    ladders.changes(axes[0], found, [""])
    assert [text.get_text() for text in axes[0].get_legend().get_texts()] == ["one seed"]
