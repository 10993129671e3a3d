"""Tables: every value is text, columns and caption are as asked; numbers are set in one style."""

import re

import pandas as pd
import pytest
from bs4 import BeautifulSoup

from lab.pages.markup import tidy
from lab.pages.tables import configurations, table
from lab.pages.typography import typeset

HOSTILE = "<script>1</script>"


def test_values_headings_index_and_caption_are_text():
    frame = pd.DataFrame({HOSTILE: [HOSTILE, "b"], "n": [0.5, 1.0]}, index=pd.Index([HOSTILE, "c"], name="who"))
    soup = BeautifulSoup(table(frame, {"n": "{:.1%}"}, caption=HOSTILE).to_html(), "html.parser")
    assert not soup.select("script")
    assert soup.get_text().count(HOSTILE) == 4
    assert soup.caption.get_text() == HOSTILE


def test_an_index_without_a_name_is_left_out_and_what_is_missing_is_blank():
    soup = BeautifulSoup(table(pd.DataFrame({"a": ["x", None]})).to_html(), "html.parser")
    assert [[cell.get_text() for cell in row.select("th, td")] for row in soup.select("tr")] == [["a"], ["x"], [""]]


def test_what_all_rows_have_in_common_goes_into_the_caption_where_it_may():
    frame = pd.DataFrame({"accuracy": [0.9, 0.9], "layers": [2, 2], "rate": [0.001, 0.001], "optimizer": ["a", "b"]})
    formats = {"accuracy": lambda value: f"{value:.1%}", "rate": "{:g}"}
    soup = BeautifulSoup(table(frame, formats, "Best.", fold=["layers", "rate", "optimizer"]).to_html(), "html.parser")
    assert soup.caption.get_text() == "Best. The same in all rows: layers 2, rate 0.001."
    assert [cell.get_text() for cell in soup.select("thead th")] == ["accuracy", "optimizer"]
    one = BeautifulSoup(table(frame[:1], fold=frame).to_html(), "html.parser")
    assert len(one.select("thead th")) == 4


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("88.07% or 88.07 %", "88.07\u202f% or 88.07\u202f%"),
        ("from -0.01 to +0.94", "from \u22120.01 to +0.94"),
        ("an error of 1e-08", "an error of 1e\u221208"),
        ("with layers = 2, a == b", "with layers\u00a0=\u00a02, a == b"),
        ("± 0.41 points", "±\u202f0.41\u00a0points"),
        ("v ← β₁ v + (1 − β₁) g, m̂ = 2", "v\u00a0←\u00a0β₁\u00a0v + (1\u00a0−\u00a0β₁)\u00a0g, m̂\u00a0=\u00a02"),
        ("2026-03-01, 1-2, COVID-19, f(-x)", "2026-03-01, 1-2, COVID-19, f(-x)"),
    ],
)
def test_numbers_are_set_in_one_style(text, shown):
    assert typeset(text) == shown
    assert typeset(shown) == shown
    assert tidy(f"<p>{text}</p><code>{text}</code>") == f"<p>{shown}</p><code>{text}</code>"


@pytest.mark.parametrize(("columns", "names"), [(8, set()), (9, {"many"}), (12, {"many", "most"})])
def test_a_table_of_many_columns_is_set_smaller(columns, names):
    soup = BeautifulSoup(tidy(table(pd.DataFrame([range(columns)] * 3)).to_html()), "html.parser")
    assert set(soup.table["class"]) & {"many", "most"} == names


def test_the_same_table_is_the_same_markup_each_time_and_another_has_names_of_its_own():
    frame = pd.DataFrame({"layers": [1, 2]})
    again, other = frame.copy(), pd.DataFrame({"layers": [1, 3]})
    assert table(frame).to_html() == table(again).to_html()
    name = re.compile('id="(T_[^"]+)"')
    assert not set(name.findall(table(frame).to_html())) & set(name.findall(table(other).to_html()))


def test_columns_in_groups_are_numbers_too_and_the_index_is_named_beside_them():
    columns = pd.MultiIndex.from_product([["here", "there"], ["W1", "W2"]])
    frame = pd.DataFrame([[1.0, 2, 3, 4], [5, 6, 7, 8]], pd.Index(["ours", "theirs"], name="peer"), columns)
    soup = BeautifulSoup(tidy(table(frame, "{:.1f}").to_html()), "html.parser")
    head = [[(cell.get_text(strip=True), cell.get("scope")) for cell in row] for row in map(cells, soup.thead("tr"))]
    assert head[0] == [("", None), ("here", "colgroup"), ("there", "colgroup")]
    assert head[1] == [("peer", "col"), *[("W1", "col"), ("W2", "col")] * 2]
    assert len(head) == 2
    assert [cell.get_text() for cell in soup.select("td.number")] == [f"{k}.0" for k in range(1, 9)]


def cells(row):
    return row.find_all(["th", "td"])


def test_configurations_stand_below_each_other_with_all_that_they_differ_in_and_no_gaps():
    chosen = {"layers": 3, "activation": "TANH", "weight_decay": 0, "dropout": 0.0}
    rivals = {"chosen": chosen, "headline": {"layers": 3, "activation": "tanh", "weight_decay": 0.0005}}
    soup = BeautifulSoup(configurations(rivals, {"dropout": 0.0, "layers": 9}).to_html(), "html.parser")
    rows = [[cell.get_text() for cell in row.select("th, td")] for row in soup.select("tbody tr")]
    assert rows == [["chosen", "0"], ["headline", "0.0005"]]
    assert soup.caption.get_text() == "The same in all rows: layers 3, activation tanh, dropout 0."
