"""Each figure draws what it says: the right number of marks at the right values, with title, labels and units."""

import importlib
import inspect
import io
from base64 import b64decode
from types import SimpleNamespace

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text
from PIL import Image

from lab.pages import comparisons, evaluations, figures, groups, portraits, surfaces, timings

NAMES = ["T-shirt/top", "Trouser", "Pullover"]
PICTURES = np.arange(4 * 9).reshape(4, 9)
HISTORY = [
    {"epoch": 1, "loss": 0.9, "accuracy": 0.6, "validationloss": 0.8, "validationaccuracy": 0.7},
    {"epoch": 2, "loss": 0.7, "accuracy": 0.8, "validationloss": 0.9, "validationaccuracy": 0.65},
]
TABLE = pd.DataFrame(
    {
        "optimizer": ["sgd", "adam", "adam", "sgd", "adam"],
        "layers": [2, 3, 4, 2, 3],
        "learning_rate": [1e-4, 1e-3, 1e-3, 1e-4, 1e-2],
        "momentum": [0.9, np.nan, np.nan, 0.5, np.nan],
        "batch_size": [16, 16, 16, 16, 16],
        "validationaccuracy": [0.84, 0.88, 0.86, 0.85, np.nan],
    }
)
SPEEDS = pd.DataFrame({"peer": ["theirs", "ours"], "median": [3.0, 1.0], "least": [2.5, 0.9], "most": [3.5, 1.2]})
PARAMETERS = ["optimizer", "layers", "learning_rate", "momentum", "batch_size"]
GRID = np.stack(np.meshgrid(np.linspace(-3, 3, 7), np.linspace(-2, 2, 5)), axis=-1)


SHARES = pd.DataFrame({"mean": [0.2, 0.8], "low": [0.0, 0.6], "high": [0.5, 0.9]}, index=["layers", "optimizer"])


def widest(values):
    """An interval, of values in whatever unit."""
    return min(values), max(values)


CASES = {
    figures.bars: ({"first": 3.0, "second": -1.0}, "height (m)"),
    figures.images: (PICTURES, ["a", "b", "c", "d"]),
    groups.scatter: (np.arange(12).reshape(6, 2), [0, 0, 1, 1, 2, 2], NAMES),
    figures.curves: (HISTORY,),
    figures.epoch_times: ([{"epoch": 1, "seconds": 3.0}, {"epoch": 2, "seconds": 1.0}, {"epoch": 3, "seconds": 1.5}],),
    surfaces.descent: (GRID, (GRID**2).sum(axis=-1), [[2, 2], [1, 1], [0.5, 0.25]], "adam, η = 0.1"),
    comparisons.best_so_far: (TABLE,),
    comparisons.parallel_coordinates: (TABLE, PARAMETERS),
    comparisons.importance: (SHARES,),
    comparisons.correlation: (pd.Series({"layers": 0.7, "optimizer = sgd": -0.3}), 0.41),
    figures.confusion_matrix: ([[8, 2, 0], [1, 9, 0], [4, 1, 5]], NAMES),
    evaluations.reliability: ([0.1, 0.4, 0.6, 0.9], [0.0, 0.3, 0.7, 0.8], [0, 10, 20, 70], 0.034),
    timings.speeds: (SPEEDS, ["ours"]),
    timings.breakdown: ({"W1": {"products": 300.0, "rest": 100.0}, "W2": {"products": 90.0}},),
    evaluations.disagreements: ({"headline": [30, 0, 5], "chosen": [10, 2, 20]}, NAMES),
    evaluations.accuracies: ({"chosen": [0.88, 0.89], "headline": [0.87, 0.88]}, widest),
}


@pytest.fixture
def ax():
    with plt.rc_context():
        figures.style()
        figure, ax = plt.subplots()
        yield ax
        plt.close(figure)


def texts(ax):
    return [text.get_text() for text in ax.texts]


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_every_figure_has_a_case():
    modules = {importlib.import_module(draw.__module__) for draw in CASES}
    functions = [f for module in modules for _, f in inspect.getmembers(module, inspect.isfunction)]
    public = {f for f in functions if f.__module__.startswith("lab.pages.") and not f.__name__.startswith("_")}
    assert {f for f in public if next(iter(inspect.signature(f).parameters), "") == "ax"} == {*CASES, figures.frameless}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("draw", CASES, ids=lambda draw: draw.__name__)
def test_figure_returns_its_ax_titled_and_labelled(ax, draw):
    assert draw(ax, *CASES[draw]) is ax
    ax.figure.draw_without_rendering()
    below = ax.child_axes[0] if draw is evaluations.reliability else ax  # there the panel below has the shared x axis
    assert ax.get_title(loc="left")
    assert below.get_xlabel()
    assert ax.get_ylabel() or any(label.get_text() for label in ax.get_yticklabels()) or not len(ax.get_yticks())


def test_images_stand_in_the_grid_on_one_scale(ax):
    figures.images(ax, PICTURES, ["a", "b", "c", "d"], columns=3)
    (grid,) = ax.images
    rows = grid.get_array().compressed().reshape(-1, 3)  # three pixels wide, line by line
    first_rows = np.stack([picture.reshape(3, 3) for picture in PICTURES[:3]], axis=1).reshape(-1, 3)
    assert np.array_equal(rows, [*first_rows, *PICTURES[3].reshape(3, 3)])
    assert grid.get_clim() == (0, 35)
    assert texts(ax) == ["a", "b", "c", "d"]


def test_images_with_negative_values_are_centred_on_white(ax):
    figures.images(ax, np.array([[-2.0, 0, 0, 1.0]]), rows=["weights"])
    assert ax.images[0].get_clim() == (-2, 2)
    assert ax.get_yticklabels()[0].get_text() == "weights"


def test_images_say_what_their_values_are(ax):
    figures.images(ax, PICTURES, unit="weights")
    assert ax.get_xlabel() == "weights from 0 (no ink) to 35 (full ink)"


def test_scatter_has_every_point_and_names_each_class_twice(ax):
    points = [[-1, -1], [1, 1]] * 3  # three medians on one spot, so the names are moved apart
    groups.scatter(ax, points, [0, 0, 1, 1, 2, 2], NAMES)
    assert sum(len(cloud.get_offsets()) for cloud in ax.collections) == 6
    assert texts(ax) == legend(ax) == NAMES
    assert len({text.get_position() for text in ax.texts}) == 3


def test_curves_are_in_per_cent_for_accuracy(ax):
    figures.curves(ax, HISTORY, "accuracy")
    training, validation = [line for line in ax.get_lines() if len(line.get_ydata())]  # the rest is the legend's
    assert np.allclose(training.get_ydata(), [60, 80])
    assert np.allclose(validation.get_ydata(), [70, 65])
    assert "%" in ax.get_ylabel()


def test_curves_without_validation_or_any_epoch(ax):
    figures.curves(ax, [])
    assert not ax.get_lines()
    assert ax.get_xlabel() == "epoch"
    figures.curves(ax, [{"epoch": 1, "loss": 0.9, "accuracy": 0.6}])
    assert legend(ax) == ["training"]


def test_epoch_times_say_their_median(ax):
    figures.epoch_times(ax, *CASES[figures.epoch_times])
    assert [bar.get_height() for bar in ax.patches] == [3.0, 1.0, 1.5]
    assert ax.get_title(loc="left") == "An epoch takes 1.5 s"


def test_descent_shows_every_step_from_the_start_and_where_the_surface_is_lowest(ax):
    surfaces.descent(ax, *CASES[surfaces.descent])
    path, start, lowest = ax.get_lines()
    assert path.get_xydata().tolist() == [[2, 2], [1, 1], [0.5, 0.25]]
    assert start.get_xydata().tolist() == [[2, 2]]
    assert lowest.get_xydata().tolist() == [[0, 0]]


@pytest.mark.filterwarnings("error")
def test_live_curves_replace_each_other_where_a_server_runs_the_notebook(monkeypatch):
    shown = []
    place = SimpleNamespace(update=lambda picture: shown.append(("again", picture)))
    monkeypatch.setattr(figures, "display", lambda picture, display_id: shown.append(("first", picture)) or place)
    monkeypatch.setenv("JPY_SESSION_NAME", "notebooks/03_train.ipynb")
    live = figures.Live(max_epochs=2)
    for epoch in (1, 2):
        live.update(HISTORY[:epoch])
    assert [how for how, _ in shown] == ["first", "again"]
    assert [picture.alt for _, picture in shown] == [f"Loss and accuracy, up to epoch {k} of 2." for k in (1, 2)]
    assert not plt.get_fignums()


def test_how_long_a_training_took_is_not_told_of_its_curves():
    slow, fast = ([epoch | {"seconds": seconds} for epoch in HISTORY] for seconds in (9.0, 1.0))
    assert figures.told(slow) == figures.told(fast)
    assert "validationaccuracy 0.65" in figures.told(fast)


def test_live_curves_are_not_drawn_where_nobody_watches(monkeypatch):
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    monkeypatch.setattr(figures, "curves", None)  # whoever calls it fails
    figures.Live(max_epochs=2).update(HISTORY)


def test_best_so_far_never_falls_and_keeps_runs_without_accuracy_in_sight(ax):
    comparisons.best_so_far(ax, TABLE)
    best, foot = ax.get_lines()
    assert np.allclose(ax.collections[0].get_offsets()[:, 1].compressed(), [84, 88, 86, 85])
    assert np.allclose(best.get_ydata(), [84, 88, 88, 88, 88])
    assert foot.get_xdata().tolist() == [5]


def test_searches_are_told_apart_by_marker_and_legend(ax):
    comparisons.best_so_far(ax, TABLE.assign(sweep=["random"] * 3 + ["bayes"] * 2))
    assert legend(ax)[:2] == ["random", "bayes"]
    assert len({path.vertices.tobytes() for path in ax.collections[0].get_paths()}) == 2


def test_of_a_loss_the_lowest_is_the_best(ax):
    table = TABLE.assign(validationloss=[0.5, 0.3, 0.4, 0.9, np.nan])
    comparisons.best_so_far(ax, table, "validationloss", "minimize")
    assert np.allclose(ax.get_lines()[0].get_ydata(), [0.5, 0.3, 0.3, 0.3, 0.3])
    assert ax.get_ylabel() == "validation loss"


@pytest.mark.parametrize(
    ("metric", "first", "second"),
    [
        ("validationaccuracy", ("validation accuracy (%)", [70, 65]), ("validation loss", [0.8, 0.9])),
        ("validationloss", ("validation loss", [0.8, 0.9]), ("validation accuracy (%)", [70, 65])),
    ],
)
def test_of_runs_beside_each_other_the_metric_that_ranked_them_comes_first(metric, first, second):
    fig, axes = plt.subplots(1, 2)
    comparisons.compared(axes, {"run 1": HISTORY}, metric)
    for ax, (label, values) in zip(axes, (first, second), strict=True):
        assert ax.get_ylabel() == label
        assert np.allclose(ax.get_lines()[0].get_ydata(), values)
    plt.close(fig)


def test_parallel_coordinates_end_on_the_scale_of_the_accuracy(ax):
    comparisons.parallel_coordinates(ax, TABLE, PARAMETERS)
    lines = [line for line in ax.get_lines() if len(line.get_ydata()) == len(PARAMETERS) + 1]
    ends = [line.get_ydata()[-1] for line in lines]  # drawn from the worst to the best
    assert len(lines) == len(TABLE)
    assert ends == sorted(ends)
    assert (ends[0], ends[-1]) == (0, 1)
    drawn = ["adam", "sgd", "2", "3", "4", "0.0001", "0.001", "0.01", "0.5", "0.9", "16"]
    assert texts(ax) == [*drawn, "≤ 83.0", "84.2", "85.5", "86.8", "88.0"]


def test_parallel_coordinates_scale_what_has_many_values(ax):
    rates = np.geomspace(1e-5, 1e-1, 9)
    table = pd.DataFrame({"learning_rate": rates, "layers": range(9), "validationaccuracy": np.linspace(0.8, 0.9, 9)})
    comparisons.parallel_coordinates(ax, table, ["learning_rate", "layers"])
    lines = [line.get_ydata() for line in ax.get_lines() if len(line.get_ydata()) == 3]
    assert np.allclose([line[0] for line in lines], np.linspace(0, 1, 9))  # in the logarithm
    assert np.allclose([line[1] for line in lines], np.linspace(0, 1, 9))


def test_a_sweep_without_a_single_accuracy_is_refused(ax):
    table = TABLE.assign(validationaccuracy=np.nan)
    for draw, arguments in ((comparisons.best_so_far, []), (comparisons.parallel_coordinates, [PARAMETERS])):
        with pytest.raises(ValueError, match="none of the 5 runs in the table has a validationaccuracy"):
            draw(ax, table, *arguments)


def test_importance_puts_the_largest_first_and_whiskers_end_at_nought(ax):
    comparisons.importance(ax, SHARES)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["optimizer", "layers"]
    assert np.allclose([bar.get_width() for bar in ax.patches], [80, 20])
    assert np.allclose([line[:, 0] for line in ax.collections[-1].get_segments()], [[60, 90], [0, 50]])
    assert ax.get_xlim()[0] == 0


def test_of_too_few_runs_the_figure_says_that_they_do_not_say_what_matters(ax):
    comparisons.importance(ax, SHARES.iloc[:0])
    assert [text.get_text() for text in ax.texts] == ["too few runs to say"]
    assert ax.get_title("left") == "What decides the validation accuracy"
    assert not ax.patches


def test_what_chance_explains_is_grey(ax):
    comparisons.correlation(ax, pd.Series({"a": 0.5, "b": 0.3, "c": -0.45}), 0.41)
    grey = [bar.get_facecolor()[0] == bar.get_facecolor()[2] for bar in ax.patches[:3]]
    assert grey == [False, True, False]


def test_effects_have_a_panel_a_parameter_with_values_in_their_order(ax):
    fig, axes = plt.subplots(1, 2)
    table = TABLE.assign(num_hidden_neurons=[128, 32, 64, 32, 128])
    comparisons.effects(axes, table, ["num_hidden_neurons", "optimizer"])
    fig.draw_without_rendering()
    assert [label.get_text() for label in axes[0].get_xticklabels()] == ["32", "64", "128"]
    dots = axes[0].collections[0].get_offsets()
    assert sorted(dots[dots[:, 0] < 0.5, 1].compressed()) == pytest.approx([85, 88])
    plt.close(fig)


def test_the_same_runs_are_the_same_dots_whatever_was_drawn_at_random_before(ax):
    def dots():
        np.random.random()  # noqa: NPY002 (the global state is what it must not depend on)
        fig, ax = plt.subplots()
        comparisons.effects([ax], TABLE, ["optimizer"])
        offsets = ax.collections[0].get_offsets().compressed()
        plt.close(fig)
        return offsets

    assert np.array_equal(dots(), dots())


def test_names_of_values_that_would_touch_stand_in_two_lines(ax):
    fig, axes = plt.subplots(1, 3, figsize=(8.4, 2.3))
    names = ["ADAM", "MGD", "NAG", "RMSPROP", "SGD"]
    table = pd.DataFrame({"optimizer": names, "validationaccuracy": np.linspace(0.5, 0.9, 5)})
    comparisons.effects(axes[:1], table, ["optimizer"])
    fig.draw_without_rendering()
    labels = [label.get_window_extent() for label in axes[0].get_xticklabels()]
    assert [label.get_text().strip() for label in axes[0].get_xticklabels()] == names
    assert min(b.x0 - a.x1 for a, b in zip(labels[::2], labels[2::2], strict=False)) > 0
    assert labels[0].y0 > labels[1].y0
    plt.close(fig)


def test_the_legend_of_a_breakdown_stands_below_the_label_of_its_axis(ax):
    timings.breakdown(ax, {f"W{k}": {"products": 300.0, "rest": 100.0} for k in range(4)})
    ax.figure.set_size_inches(8.4, 4.2)
    ax.figure.draw_without_rendering()
    assert ax.get_legend().get_window_extent().y1 < ax.xaxis.label.get_window_extent().y0


def test_confusion_matrix_colours_errors_only(ax):
    figures.confusion_matrix(ax, [[8, 2, 0], [1, 9, 0], [4, 1, 5]], NAMES)
    errors = ax.collections[0].get_array()
    assert np.allclose(errors.filled(-1), [[-1, 20, 0], [10, -1, 0], [40, 10, -1]])
    off = ["2\n20 %", "", "1\n10 %", "", "4\n40 %", "1\n10 %"]
    assert texts(ax) == [*off, "8\n80 %", "9\n90 %", "5\n50 %"]


def test_confusion_matrix_in_an_order_leaves_small_counts_without_share_and_none_unsaid(ax):
    figures.confusion_matrix(ax, [[991, 8.6, 0.4], [50, 950, 0], [20, 0, 980]], NAMES, order=[1, 0, 2])
    assert texts(ax) == ["50\n5 %", "", "9", "", "", "20\n2 %", "950\n95 %", "991\n99 %", "980\n98 %"]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["Trouser", "T-shirt/top", "Pullover"]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["Trouser", "T-shirt/top", "Pullover"]


def test_reliability_leaves_out_empty_bins_and_says_the_error(ax):
    evaluations.reliability(ax, *CASES[evaluations.reliability])
    _, network = ax.get_lines()
    assert np.allclose(network.get_xydata(), [[40, 30], [60, 70], [90, 80]])
    assert "3.4 %" in ax.get_title(loc="left")
    assert ax.child_axes[0].patches[0].get_data().values.tolist() == [0, 10, 20, 70]


def test_reliability_to_be_read_has_the_same_points_and_counts():
    confidence, accuracy, counts, _ = CASES[evaluations.reliability]
    accuracies, images = evaluations.reliable(confidence, accuracy, counts).values()
    np.testing.assert_allclose(accuracies.reset_index(), [[40, 30, 40], [60, 70, 60], [90, 80, 90]])
    assert images["the network"].tolist() == [10, 20, 70]
    assert images["perfectly calibrated"].isna().all()


def test_accuracies_show_every_seed_and_the_mean(ax):
    evaluations.accuracies(ax, *CASES[evaluations.accuracies])
    assert [len(seeds.get_offsets()) for seeds in ax.collections[:2]] == [2, 2]
    assert texts(ax) == ["88.50  (88.00 to 89.00)", "87.50  (87.00 to 88.00)"]
    assert legend(ax) == ["a seed", "mean, with its 95 % interval"]


def test_disagreements_point_to_the_model_that_is_right(ax):
    evaluations.disagreements(ax, *CASES[evaluations.disagreements])
    assert [label.get_text() for label in ax.get_yticklabels()] == ["Pullover", "Trouser", "T-shirt/top"]
    assert [[bar.get_width() for bar in bars] for bars in ax.containers] == [[-5, 0, -30], [20, 2, 10]]
    assert legend(ax) == ["only headline is right", "only chosen is right"]
    assert texts(ax) == ["5", "", "30", "20", "2", "10"]


def test_speeds_have_their_ranges_and_say_their_medians(ax):
    timings.speeds(ax, SPEEDS, ["ours"])
    assert [bar.get_width() for bar in ax.patches] == [1.0, 3.0]
    assert ax.patches[0].get_facecolor() != ax.patches[1].get_facecolor()
    assert {tuple(line.get_xdata()) for line in ax.lines} >= {(0.9, 1.2), (2.5, 3.5)}
    assert [text.get_text().strip() for text in ax.texts] == ["1.00", "3.00"]


def test_breakdown_stacks_the_parts(ax):
    timings.breakdown(ax, {"W1": {"products": 300.0, "rest": 100.0}, "W2": {"products": 90.0}})
    assert [(bar.get_x(), bar.get_width()) for bar in ax.patches] == [(0, 300), (0, 90), (300, 100), (90, 0)]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["products", "rest"]


def test_show_displays_the_alt_text_and_closes_the_figure(ax, monkeypatch):
    shown = []
    monkeypatch.setattr(figures, "display", lambda data, raw, metadata: shown.append((data, metadata)))
    figures.show(ax.figure, alt='One "empty" ax')
    [(data, metadata)] = shown
    assert data["text/plain"] == metadata["image/png"]["alt"] == 'One "empty" ax'
    assert metadata["image/png"]["width"] == pytest.approx(7 * 96, rel=0.1)  # CSS pixels: the file has twice as many
    assert not plt.fignum_exists(ax.figure.number)


def test_what_is_shown_has_fewer_colours_and_looks_the_same(ax):
    full = io.BytesIO()
    comparisons.parallel_coordinates(ax, TABLE, PARAMETERS)
    ax.figure.savefig(full, dpi=192, bbox_inches="tight")
    png = b64decode(figures.forms(ax.figure, alt="Lines in many colours")[0]["image/png"])
    small = Image.open(io.BytesIO(png))
    difference = np.asarray(small.convert("RGB"), float) - np.asarray(Image.open(full).convert("RGB"), float)
    assert small.mode == "P"
    assert abs(difference).mean() < 0.2  # of 255
    assert len(png) < 0.6 * len(full.getvalue())


def test_numbers_at_the_axes_are_set_as_in_the_text(ax):
    ax.plot([0, 54_000], [-1_000, 0.5])
    ax.set_xticks([0, 500, 54_000])
    ax.set_yticks([-1_000, 0])
    figures.png(ax.figure)
    assert [text.get_text() for text in ax.get_xticklabels()] == ["0", "500", "54,000"]
    assert [text.get_text() for text in ax.get_yticklabels()] == ["−1,000", "0"]


@pytest.mark.parametrize("alt", ["", " \n"])
def test_show_refuses_an_empty_alt_text(ax, alt):
    with pytest.raises(ValueError, match="empty alt text"):
        figures.show(ax.figure, alt=alt)


@pytest.mark.parametrize("draw", CASES, ids=lambda draw: draw.__name__)
def test_no_label_has_fewer_than_nine_points(ax, draw):
    draw(ax, *CASES[draw])
    ax.figure.draw_without_rendering()
    small = {text.get_text(): text.get_fontsize() for text in ax.figure.findobj(Text) if text.get_text()}
    assert {text: size for text, size in small.items() if size < 9} == {}


def test_a_figure_with_photographs_says_so(ax):
    about = figures.forms(ax.figure, "A photograph", photographs=True)[1]["image/png"]
    assert (about["alt"], about["photographs"]) == ("A photograph", True)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("blank", [False, True])
def test_a_picture_stands_beside_what_is_given_of_it_and_what_speaks_for_its_answer(blank):
    figures.style()
    figure, axes = plt.subplots(1, 3)
    photo, pixels = np.zeros((40, 30, 3), np.uint8), np.zeros((28, 28), np.uint8)
    pixels[5:20, 0:9] = 0 if blank else 200
    share = np.zeros((28, 28)) if blank else np.linspace(-2, 1, 784).reshape(28, 28)
    portraits.deciding(axes, photo, pixels, share)
    figure.draw_without_rendering()
    for ax, shown in zip(axes, (photo, pixels, share), strict=True):
        np.testing.assert_array_equal(ax.images[0].get_array(), shown)
        assert ax.get_title(loc="left")
    assert axes[2].images[0].get_clim() == ((-1, 1) if blank else (-2, 2))  # white is nothing
    assert len(axes[2].collections) == (0 if blank else 1)
    plt.close(figure)
