"""Figures laid out anew for a telephone: nothing wider than its screen, and no label smaller."""

from base64 import b64decode
from io import BytesIO
from itertools import combinations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text
from PIL import Image
from test_figures import CASES

from lab.pages import DENSITY, NARROW, figures, narrow, portraits, spaces
from lab.pages.figures import confusion_matrix

HEAT = (confusion_matrix,)
LONG = "A title that is by far too long for the screen of a telephone, and still has to be read"


@pytest.fixture(autouse=True)
def look():
    with plt.rc_context():
        figures.style()
        yield
        plt.close("all")


def width(fig):
    """In inches, of all that is drawn."""
    fig.draw_without_rendering()
    return fig.get_tightbbox().width


def boxes(texts):
    return [text.get_window_extent() for text in texts if text.get_text().strip()]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("draw", [draw for draw in CASES if draw not in HEAT], ids=lambda draw: draw.__name__)
def test_a_figure_is_as_narrow_as_a_telephone_with_labels_in_their_own_size(draw):
    fig, ax = plt.subplots(figsize=(8, 5))
    draw(ax, *CASES[draw]).set_title(LONG)
    assert narrow.narrow(fig)
    assert width(fig) < narrow.WIDTH + 0.1
    assert {text.get_text() for text in fig.findobj(Text) if text.get_text() and text.get_fontsize() < 9} == set()


def test_panels_stack_and_have_the_numbers_that_stood_at_their_neighbours():
    fig, axes = plt.subplots(2, 2, figsize=(8, 4), sharex=True, sharey=True)
    for ax in axes.flat:
        ax.plot([0, 1], label="a line")
    fig.legend(axes[0, 0].lines, ["a line"], loc="outside right upper")
    fig.supxlabel("the same for all")
    assert narrow.narrow(fig)
    assert width(fig) < narrow.WIDTH + 0.1
    assert fig.get_figheight() == pytest.approx(8)  # each as high as it was
    tops = [ax.get_position().y1 for ax in axes.flat]
    assert tops == sorted(tops, reverse=True)
    assert len({round(ax.get_position().x0, 6) for ax in axes.flat}) == 1
    assert all(label.get_visible() for ax in axes.flat for label in ax.get_xticklabels() + ax.get_yticklabels())
    [legend] = fig.legends
    assert legend.get_window_extent().y0 > max(ax.bbox.y1 for ax in axes.flat)


def test_of_four_small_panels_two_stay_beside_each_other():
    fig, axes = plt.subplots(1, 4, figsize=(8, 2))
    assert narrow.narrow(fig)
    assert [ax.get_subplotspec().rowspan.start for ax in axes] == [0, 0, 1, 1]


def test_a_legend_beside_its_panel_moves_below_and_one_within_stays():
    fig, (left, right) = plt.subplots(1, 2, figsize=(8, 3))
    for ax in (left, right):
        ax.plot([0, 1], label="a line")
    left.legend(loc="upper left")
    right.legend(loc="center left", bbox_to_anchor=(1, 0.5), title="kind")
    assert narrow.narrow(fig)
    fig.draw_without_rendering()
    assert left.get_legend()
    assert right.get_legend() is None
    [below] = fig.legends
    assert [text.get_text() for text in below.get_texts()] == ["a line"]
    assert below.get_title().get_text() == "kind"
    assert below.get_window_extent().y1 < right.get_tightbbox().y0


def test_pictures_whose_names_would_touch_go_on_below():
    names = ["T-shirt/top", "Ankle boot", "Pullover", "Trouser", "Sneaker", "Sandal"]
    fig, ax = plt.subplots(figsize=(8, 4))
    values = np.arange(12 * 9).reshape(12, 9)
    figures.images(ax, values, names * 2, columns=6, rows=["upper", "lower"])
    assert len(boxes(ax.texts)) == 12
    assert narrow.narrow(fig)
    fig.draw_without_rendering()
    assert not any(a.overlaps(b) for a, b in combinations(boxes(ax.texts), 2))
    assert [label.get_text() for label in ax.get_yticklabels()] == ["upper", "lower"] * 2
    for text, picture in zip(ax.texts, values, strict=True):  # each name is above its own
        x, y = text.get_position()
        assert ax.images[0].get_array()[round(y + 1.5), round(x - 1.5)] == picture[0]


def test_pictures_side_by_side_stay_so_and_their_titles_keep_apart():
    fig, axes = plt.subplots(2, 3, figsize=(8, 5.4))
    for row in axes:
        portraits.deciding(row, np.zeros((40, 30, 3), np.uint8), np.eye(28), np.eye(28))
        row[0].set_title("a rather long name")
        row[2].set_title("Ankle boot? 99.9 %")
    assert narrow.narrow(fig)
    assert width(fig) < narrow.WIDTH + 0.1
    shown = boxes(text for text in fig.findobj(Text) if text.get_fontsize() > 10)
    assert len(shown) == 6
    assert not any(a.overlaps(b) for a, b in combinations(shown, 2))
    assert axes[0, 0].bbox.y0 - axes[1, 0].bbox.y1 < 0.7 * fig.dpi  # inches between the rows


def test_a_heat_map_whose_numbers_would_not_fit_has_no_narrow_form():
    fig, ax = plt.subplots(figsize=(8, 7))
    confusion_matrix(ax, np.full((10, 10), 100), [f"class {k}" for k in range(10)])
    assert figures.forms(fig, "A matrix")[0].keys() == {"image/png", "text/plain"}


def test_what_is_shown_has_both_forms_and_the_figure_is_closed():
    fig, ax = plt.subplots(figsize=(8, 3))
    ax.plot([0, 1])
    data, said = figures.forms(fig, "A line")
    assert data.keys() == {"image/png", "text/plain", NARROW}
    assert data[NARROW] != data["image/png"]
    assert said["image/png"]["width"] > 7 * 96
    with Image.open(BytesIO(b64decode(data[NARROW]))) as picture:
        assert picture.width / DENSITY == pytest.approx(narrow.WIDTH * 96, rel=0.06)
    assert not plt.fignum_exists(fig.number)


def test_a_heat_map_whose_numbers_fit_into_narrow_cells_is_narrow():
    fig, ax = plt.subplots(figsize=(8.4, 5.3))
    names = ["num_hidden_neurons", *"abcdefgh"]
    spaces.shares(ax, pd.DataFrame(np.full((9, 9), 0.555), names, names))
    assert narrow.narrow(fig)
    assert width(fig) < narrow.WIDTH + 0.1
    shown = boxes(ax.texts)
    assert len(shown) == 45
    assert not any(a.overlaps(b) for a, b in combinations(shown, 2))
