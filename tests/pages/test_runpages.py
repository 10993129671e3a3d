"""Pages of single runs: what chapter 4 leaves is rendered to reports/runs/, with links that lead out of that folder."""

import shutil

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


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Two runs, of which only the first has its notebook and weights, and chapter 4's page beside theirs, built."""
    root = tmp_path_factory.mktemp("runs")
    executed = root / "runs" / "notebooks"
    for folder in (root / "kept", root / "bare", executed):
        folder.mkdir(parents=True)
    told = "# One\n\n[04_sweep](04_sweep.ipynb) chose it."
    given = code(f'folder = "{(root / "kept").as_posix()}"')
    write(root / "kept" / "03_train.ipynb", told, "## Training", code("net.train()"), given)
    (root / "kept" / "weights.npz").touch()
    write(executed / "04_sweep.ipynb", "# Sweep", "Text.")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FASHION_RUNS", str(root / "runs"))
        addresses = runpages.write([(RECORD, root / "kept"), (RECORD, root / "bare")], judge, ["Coat", "Shirt"])
        assert addresses == ["runs/01.html", None]
        site.build(executed, executed, root / "reports")
        yield root


@pytest.fixture
def page(root):
    return BeautifulSoup((root / "reports" / "runs" / "01.html").read_text("utf-8"), "html.parser")


def judge(record, folder):
    """Three images, of which the last is taken for the other class."""
    assert folder.name == "kept"
    return [0, 1, 1], np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]]), np.zeros((3, 784), dtype=np.uint8)


def test_a_run_has_a_page_with_its_parameters_curves_mistakes_and_notebook(page):
    assert page.h1.get_text() == "Run 1: 70.00\u202f% of the validation images"
    rows = [[cell.get_text() for cell in row.select("td")] for row in page.select("tbody tr")]
    assert rows == [["layers", "2"], ["optimizer", "ADAM"], ["weight_decay", "0"]]
    assert [figure["data-kind"] for figure in page.select("figure")] == ["curves", "confusion"]
    assert "net.train()" in page.select_one("details.code pre").get_text()
    assert [heading.get_text().rstrip("#") for heading in page.select("h3, h4")] == ["One", "Training"]
    foot = page.select_one(".provenance").get_text(" ")
    for fact in ("0123456789ab", "01 March 2026, 12:00 UTC", "1.2 s", "optimizer = ADAM", "papermill"):
        assert fact in foot


def test_runs_that_were_ranked_by_a_loss_say_so(root, tmp_path, monkeypatch):
    monkeypatch.setenv("FASHION_RUNS", str(tmp_path))
    runpages.write([(RECORD, root / "kept")], judge, ["Coat", "Shirt"], "validationloss")
    title, ranked, *_ = nbformat.read(tmp_path / "notebooks" / "runs" / "01.ipynb", 4).cells
    assert title.source == "# Run 1: validation loss 1"
    assert ranked.source.startswith("Number 1 of the runs, those of the best configuration by validation loss first.")


def test_where_a_run_was_kept_on_this_machine_is_left_out(root, page):
    assert f'folder = "{root.name}/kept"' in page.get_text()
    assert str(root) not in page.get_text()


def test_links_of_a_run_s_page_lead_to_files_that_are_there(root, page):
    links = {link["href"] for link in page.select("a[href]") if not link["href"].startswith("#")}
    assert links == {"../index.html", "../04_sweep.html", "../../notebooks/03_train.ipynb"}
    assert all((root / "reports" / "runs" / link).exists() for link in links if link.endswith(".html"))


def test_what_is_written_is_a_valid_notebook(root):
    nbformat.validate(nbformat.read(root / "runs" / "notebooks" / "runs" / "01.ipynb", 4))


def test_pages_of_runs_that_are_no_longer_among_the_best_go(root, tmp_path):
    kept, executed = tmp_path / "runs" / "notebooks", root / "runs" / "notebooks"
    shutil.copytree(executed, kept)
    reports = shutil.copytree(root / "reports", tmp_path / "reports")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FASHION_RUNS", str(tmp_path / "runs"))
        assert runpages.write([(RECORD, root / "bare")], judge, ["Coat", "Shirt"]) == [None]
    site.build(kept, kept, reports)
    assert not list(reports.glob("runs/*.html"))
