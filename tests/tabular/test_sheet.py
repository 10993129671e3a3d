"""The computed part of the data sheet."""

import numpy as np

from lab.tabular import bayes, every, sheet
from lab.tabular import table as tabular
from table_kit import epochs, record, whole_table


def test_it_says_how_far_the_table_is_and_how_it_was_made(tmp_path):
    configs = tabular.trainings()[:3]
    runs = [record(config | {"seed": 0}, epochs(10)) for config in configs]
    table = tabular.rows([*runs, record(configs[0] | {"seed": 3}, epochs(2), "diverged")]).assign(machine="a machine")
    path = tmp_path / "README.md"
    path.write_text("before\n<!-- state -->old<!-- /state -->\nafter\n")
    sheet.tell(table, path)
    text = path.read_text()
    assert "| 0 | 3 | 4,860 | 0 | 0.0 |" in text
    assert "| 3 | 1 | 486 | 1 | 0.0 |" in text
    assert "- 4 by abc on a machine" in text
    assert text.startswith("before\n<!-- state -->\n\n| seed")
    assert text.endswith("<!-- /state -->\nafter\n")
    before = path.stat().st_mtime_ns
    sheet.tell(table, path)
    assert path.stat().st_mtime_ns == before


def test_without_markers_or_a_sheet_nothing_is_written(tmp_path):
    table = tabular.rows([record(tabular.trainings()[0] | {"seed": 0}, epochs(1))])
    sheet.tell(table, tmp_path / "none.md")
    assert not (tmp_path / "none.md").exists()
    (tmp_path / "other.md").write_text("no markers")
    sheet.tell(table, tmp_path / "other.md")
    assert (tmp_path / "other.md").read_text() == "no markers"


def test_the_sheet_of_the_repository_says_what_its_table_holds():
    assert sheet.state(tabular.load()) in sheet.SHEET.read_text(encoding="utf-8")


def test_make_every_trains_tells_and_replays(monkeypatch):
    done = []
    monkeypatch.setattr(tabular, "compute", lambda tell: done.append(tell))
    monkeypatch.setattr(tabular, "load", lambda: whole_table(tabular.SEEDS, np.random.default_rng(0)))
    monkeypatch.setattr(bayes, "compute", lambda table: done.append(table.seeds))
    every.main()
    assert done == [sheet.tell, tabular.SEEDS]
