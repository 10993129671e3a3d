"""Interactive figures: what they hand to the script; what the script does with it is tested in a browser."""

import base64
import io
import json

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from lab.pages import INTERACTIVE, interactive
from page_kit import displayed


@pytest.fixture
def fig():
    yield plt.figure(figsize=(3, 2))
    plt.close("all")


@pytest.fixture
def table():
    """Ten runs, the second without an accuracy."""
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "name": [f"run_{k}" for k in range(10)],
            "layers": [2, 3] * 5,
            "activation": ["RELU", None, *["TANH"] * 8],
            "learning_rate": 10.0 ** np.linspace(-5, -1, 10),
            "validationaccuracy": [0.5, np.nan, *rng.uniform(0.8, 0.9, 8)],
        }
    )


def parallel(fig, table, *parameters) -> dict:
    return displayed(interactive.parallel_coordinates, fig, "Runs", table, parameters).data[INTERACTIVE]["data"]


def test_every_reader_gets_a_form(fig, table):
    output = displayed(interactive.parallel_coordinates, fig, 'Runs & "more"', table, ["layers"])
    assert output.metadata["image/png"]["alt"] == 'Runs & "more"'
    picture = Image.open(io.BytesIO(base64.b64decode(output.data["image/png"])))
    assert output.metadata["image/png"]["width"] == picture.width // 2
    assert output.data["text/plain"] == 'Runs & "more"'
    page = output.data["text/html"]  # JupyterLab's: all in one, without an address
    assert 'alt="Runs &amp; &quot;more&quot;"' in page
    assert "<script>" in page
    assert 'src="http' not in page
    assert not plt.fignum_exists(fig.number)


def test_data_cannot_end_the_script_that_holds_it(fig, table):
    table["activation"] = "</script><b>"
    page = displayed(interactive.parallel_coordinates, fig, "Runs", table, ["activation"]).data["text/html"]
    data = page.partition('<script type="application/json">')[2].partition("</script>")[0]
    assert json.loads(data)["axes"][0]["texts"][0] == "</script><b>"


def test_an_empty_alt_text_is_refused(fig):
    with pytest.raises(ValueError, match="alt"):
        interactive.show(fig, " ", "parallel", {})


def test_runs_are_in_order_and_one_without_accuracy_passes_at_the_foot(fig, table):
    data = parallel(fig, table, "layers")
    assert [run["name"] for run in data["runs"]][:2] == ["run_1", "run_0"]
    assert data["runs"][0] == {"name": "run_1", "value": "no accuracy", "shade": 0}
    assert data["runs"][-1]["shade"] == 1
    places = data["axes"][-1]["heights"]
    assert places[:2] == [0, 0]
    assert places == sorted(places)
    assert places[-1] == 1
    assert data["axes"][-1]["ticks"][0][0].startswith("≤ ")


def test_categories_have_a_share_of_their_axis_each_and_missing_values_no_place(fig, table):
    layers, activation, _ = parallel(fig, table, "layers", "activation")["axes"]
    assert layers["parts"] == [[0, 0.5, "2"], [0.5, 1, "3"]]
    for text, place in zip(layers["texts"], layers["heights"], strict=True):
        low, high, _ = layers["parts"][["2", "3"].index(text)]
        assert low < place < high
    assert activation["ticks"] == [["RELU", 0.25], ["TANH", 0.75]]
    assert activation["heights"][0] is None  # of run_1


def test_many_numbers_over_orders_of_magnitude_have_a_logarithmic_axis(fig, table):
    axis = parallel(fig, table, "learning_rate")["axes"][0]
    assert [label for label, _ in axis["ticks"]] == ["1e-05", "0.0001", "0.001", "0.01", "0.1"]
    assert sorted(axis["heights"]) == pytest.approx(np.linspace(0, 1, 10), abs=1e-4)


def test_a_cell_holds_its_most_confident_mistakes_in_the_order_of_the_classes(fig):
    labels, said = np.array([0, 0, 0, 1, 1]), np.array([1, 1, 1, 1, 0])
    probabilities = np.zeros((5, 2))
    probabilities[range(5), said] = [0.6, 0.9, 0.7, 0.8, 0.55]
    images = np.arange(5, dtype=np.uint8)[:, None] * np.ones(4, dtype=np.uint8)
    output = displayed(interactive.confusion, fig, "C", "ab", labels, probabilities[None], images, order=[1, 0], most=2)
    data = output.data[INTERACTIVE]["data"]
    assert data["names"] == ["b", "a"]
    assert data["counts"] == [[1, 1], [3, 0]]
    assert data["cells"] == [
        {"row": 0, "column": 1, "first": 0, "texts": ["55.0 % sure"]},
        {"row": 1, "column": 0, "first": 1, "texts": ["90.0 % sure", "70.0 % sure"]},
    ]
    atlas = np.asarray(Image.open(io.BytesIO(base64.b64decode(data["atlas"].partition(",")[2]))).convert("L"))
    assert [int(255 - atlas[0, 2 * k]) for k in range(3)] == [4, 1, 2]


def test_a_network_without_mistakes_has_no_cell(fig):
    output = displayed(interactive.confusion, fig, "C", "ab", [0, 1], np.eye(2)[None], np.zeros((2, 4), dtype=np.uint8))
    assert output.data[INTERACTIVE]["data"]["cells"] == []


def test_a_cell_holds_first_what_most_networks_get_wrong(fig):
    said = np.array([[1, 1, 0, 1], [0, 1, 0, 1], [0, 1, 0, 1]])  # networks by images
    images = np.arange(4, dtype=np.uint8)[:, None] * np.ones(4, dtype=np.uint8)
    probabilities = np.where(said[..., None] == [0, 1], 0.8, 0.2)
    data = displayed(interactive.confusion, fig, "C", "ab", [0, 0, 0, 1], probabilities, images).data[INTERACTIVE][
        "data"
    ]
    assert data["counts"] == [[2, 1], [0, 1]]  # means: 1.33 of the first class are taken for the second
    assert data["cells"][0]["texts"] == ["by 3 of 3, 80.0 % sure", "by 1 of 3, 80.0 % sure"]
