"""Runs side by side: one scale for the still figure and the interactive one, whatever the metric and its goal."""

import json

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.pages import INTERACTIVE, comparisons, interactive
from lab.pages.coordinates import Metric, Scale, axis, beside, binned, coordinates
from page_kit import displayed


def runs(*metric: float) -> pd.DataFrame:
    names = [f"run_{k}" for k in range(len(metric))]
    return pd.DataFrame({"name": names, "layers": range(len(metric)), "validationaccuracy": metric})


def test_the_floor_is_as_far_below_the_median_as_the_best_is_above():
    scale = Scale(runs(0.80, 0.84, 0.88), "validationaccuracy")
    assert (scale.floor, scale.median, scale.best) == pytest.approx((80, 84, 88))
    assert scale.heights() == pytest.approx([0, 0.5, 1])
    assert scale.shades() == pytest.approx([0, 0, 1])


def test_a_run_without_the_metric_is_the_worst():
    lines = coordinates(runs(0.88, np.nan, 0.84), ["layers"])
    assert lines.order.tolist() == [1, 2, 0]
    assert lines.values == ["no accuracy", "84.00 %", "88.00 %"]
    assert lines.axes[-1].heights[0] == 0
    assert lines.axes[-1].ticks[0][0].startswith("≤ ")


def test_of_what_is_minimized_the_lowest_is_the_best():
    table = runs(0.5, 0.3, 0.9).rename(columns={"validationaccuracy": "validationloss"})
    lines = coordinates(table, ["layers"], "validationloss", "minimize")
    assert lines.order.tolist() == [2, 0, 1]
    assert lines.axes[-1].heights[-1] == 1
    assert lines.values[-1] == "0.3"


@pytest.mark.parametrize(
    ("metric", "label", "said", "bound"),
    [
        (Metric(), "validation accuracy (%)", "is right for 50.00% of the validation images", "below 30.00%"),
        (Metric("validationloss", "minimize"), "validation loss", "has a validation loss of 0.5", "above 0.7"),
        (Metric("trainaccuracy"), "training accuracy (%)", "has a training accuracy of 50.00%", "below 30.00%"),
        (Metric("f1", "maximize"), "f1", "has a f1 of 0.5", "below 0.3"),
    ],
)
def test_a_metric_is_told_in_its_own_words_and_by_its_goal(metric, label, said, bound):
    values = pd.Series([0.1, 0.3, 0.5, 0.7, 0.9])
    assert (metric.label, metric.said(0.5), metric.bound(values, 0.25)) == (label, said, bound)


def test_a_run_without_the_metric_is_filled_in_as_the_worst():
    values = pd.Series([0.5, np.nan, 0.7])
    assert Metric().filled(values).tolist() == [0.5, 0.0, 0.7]
    assert Metric(goal="minimize").filled(values).tolist() == [0.5, 0.7, 0.7]
    assert Metric("validationloss", "minimize").filled(values).tolist() == [0.5, 0.7, 0.7]
    assert Metric("f1").filled(values).tolist() == [0.5, 0.5, 0.7]


def test_beside_the_metric_stands_validation_accuracy_or_loss():
    assert [shown.name for shown in beside("validationaccuracy")] == ["validationaccuracy", "validationloss"]
    assert [shown.name for shown in beside("validationloss")] == ["validationloss", "validationaccuracy"]
    assert [shown.name for shown in beside("f1")] == ["f1", "validationaccuracy"]


@given(
    st.lists(st.one_of(st.none(), st.floats(0, 1)), min_size=1, max_size=30), st.sampled_from(["maximize", "minimize"])
)
def test_heights_keep_the_order_and_stay_on_the_axis(metric, goal):
    table = runs(*[np.nan if value is None else value for value in metric])
    if table["validationaccuracy"].isna().all():
        with pytest.raises(ValueError, match="nothing to draw"):
            coordinates(table, [], goal=goal)
        return
    heights = coordinates(table, [], goal=goal).axes[-1].heights
    assert (np.diff(heights) >= -1e-12).all()
    assert 0 <= heights.min() <= heights.max() <= 1
    assert heights.max() == pytest.approx(1)


def test_still_and_interactive_pass_at_the_same_heights():
    table = runs(0.5, 0.81, np.nan, 0.9, 0.88)
    fig, ax = plt.subplots()
    comparisons.parallel_coordinates(ax, table, ["layers"])
    still = [line.get_ydata().tolist() for line in ax.get_lines() if len(line.get_ydata()) == 2 and line.get_zorder()]
    still = np.array(still[-len(table) :])
    output = displayed(interactive.parallel_coordinates, fig, "Runs", table, ["layers"])
    live = [one["heights"] for one in json.loads(json.dumps(output.data[INTERACTIVE]))["data"]["axes"]]
    np.testing.assert_allclose(still, np.array(live).T, atol=1e-4)


def test_values_are_binned_in_their_order():
    few = binned(pd.Series([128, 32, 64, 32], name="batch_size"))
    assert (few.tolist(), few.cat.categories.tolist()) == (["128", "32", "64", "32"], ["32", "64", "128"])
    rates = binned(pd.Series([1e-5, 2e-5, 5e-5, 3e-4, 4e-4, 2e-3, 3e-3, 2e-2, 1e-1], name="learning_rate"))
    assert rates.cat.categories.tolist() == ["1e-05 to 0.0001", "0.0001 to 0.001", "0.001 to 0.01", "0.01 to 0.1"]
    assert rates.value_counts(sort=False).tolist() == [3, 2, 2, 2]
    assert axis(pd.Series([None, "RELU"], name="g")).heights[1] == 0.5
