"""Pages of single runs: what chapter 4 leaves is rendered to reports/runs/, with links that lead out of that folder."""

import nbformat
import numpy as np
import pytest
from bs4 import BeautifulSoup

from lab.pages import runpages, site
from page_kit import code, write

RECORD = {
    "name": "hl_2_op_adam",
    "status": "finished",
    "config": {"layers": 2, "optimizer": "ADAM", "weight_decay": 0.0},
    "history": [
        {"epoch": k, "loss": 1 / k, "accuracy": 0.5, "validationloss": 2 / k, "validationaccuracy": 0.7} for k in (1, 2)
    ],
    "seconds": 1.234,
    "started": "2026-03-01T12:00:00+00:00",
    "versions": {"python": "3.11.7", "platform": "Linux"},
    "commit": "0123456789ab",
}


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """Two runs, of which only the first has its notebook and weights; pages 04 and 05 beside them."""
    monkeypatch.setenv("FASHION_RUNS", str(tmp_path / "runs"))
    kept, bare = tmp_path / "kept", tmp_path / "bare"
    for folder in (kept, bare, tmp_path / "runs" / "notebooks"):
        folder.mkdir(parents=True)
    write(kept / "03_train.ipynb", "# One\n\n[04_sweep](04_sweep.ipynb) chose it.", "## Training", code("net.train()"))
    (kept / "weights.npz").touch()
    write(tmp_path / "runs" / "notebooks" / "04_sweep.ipynb", "# Sweep", "Text.")
    return [(RECORD, kept), (RECORD, bare)]


def judge(record, folder):
    """Three images, of which the last is taken for the other class."""
    assert folder.name == "kept"
    return [0, 1, 1], np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]]), np.zeros((3, 784), dtype=np.uint8)


def test_a_run_has_a_page_with_its_parameters_curves_mistakes_and_notebook(runs, tmp_path):
    assert runpages.write(runs, judge, ["Coat", "Shirt"]) == ["runs/01.html", None]
    executed = tmp_path / "runs" / "notebooks"
    reports = site.build(executed, executed, tmp_path / "reports").parent
    page = BeautifulSoup((reports / "runs" / "01.html").read_text("utf-8"), "html.parser")
    assert page.h1.get_text() == "Run 1: 70.00\u202f% of the validation images"
    rows = [[cell.get_text() for cell in row.select("td")] for row in page.select("tbody tr")]
    assert rows == [["layers", "2"], ["optimizer", "ADAM"], ["weight_decay", "0"]]
    assert [figure["data-kind"] for figure in page.select("figure")] == ["curves", "confusion"]
    assert "net.train()" in page.select_one("details.code pre").get_text()
    assert [heading.get_text().rstrip("#") for heading in page.select("h3, h4")] == ["One", "Training"]
    foot = page.select_one(".provenance").get_text(" ")
    for fact in ("0123456789ab", "01 March 2026, 12:00 UTC", "1.2 s", "optimizer = ADAM", "papermill"):
        assert fact in foot


def test_links_of_a_run_s_page_lead_to_files_that_are_there(runs, tmp_path):
    runpages.write(runs, judge, ["Coat", "Shirt"])
    executed = tmp_path / "runs" / "notebooks"
    reports = site.build(executed, executed, tmp_path / "reports").parent
    page = BeautifulSoup((reports / "runs" / "01.html").read_text("utf-8"), "html.parser")
    links = {link["href"] for link in page.select("a[href]") if not link["href"].startswith("#")}
    assert links == {"../index.html", "../04_sweep.html", "../../notebooks/03_train.ipynb"}
    assert all((reports / "runs" / link).exists() for link in links if link.endswith(".html"))


def test_pages_of_runs_that_are_no_longer_among_the_best_go(runs, tmp_path):
    executed = tmp_path / "runs" / "notebooks"
    runpages.write(runs, judge, ["Coat", "Shirt"])
    reports = site.build(executed, executed, tmp_path / "reports").parent
    assert runpages.write(runs[1:], judge, ["Coat", "Shirt"]) == [None]
    site.build(executed, executed, reports)
    assert not list(reports.glob("runs/*.html"))


def test_what_is_written_is_a_valid_notebook(runs, tmp_path):
    runpages.write(runs, judge, ["Coat", "Shirt"])
    nbformat.validate(nbformat.read(tmp_path / "runs" / "notebooks" / "runs" / "01.ipynb", 4))
