"""What was measured of sweeps is said as it is, and what is damaged is named."""

import json

import pytest

from lab.evaluation import sweeping

FOUND = {
    "processor": "a processor",
    "commit": "0123456789ab",
    "date": "2026-03-01T12:34:56+00:00",
    "runs": 24,
    "workers": 2,
    "backend": "numpy",
    "overhead": 0.2345,
    "share": {"random": 0.93, "bayes": 0.97},
    "an hour": {"random": 300.0, "bayes": 150.0, "wandb agent": 120.0},
}


def test_what_was_measured_is_a_table_and_a_sentence(tmp_path):
    path = tmp_path / "sweeping.json"
    path.write_text(json.dumps(FOUND))
    measurements = sweeping.kept(path)
    table = sweeping.table(measurements)
    assert list(table.index) == ["random", "bayes", "wandb agent"]
    assert table["configurations an hour"].tolist() == [300, 150, 120]
    assert table["share of the time in training"].isna().tolist() == [False, False, True]
    assert sweeping.finding(measurements) == (
        "**A run of a sweep costs 0.23 s of a core besides its training; with 2 workers, 24 random runs come to "
        "2.5 times as many configurations an hour as the same by `wandb agent`, which starts a process for each** "
        "(a processor, backend numpy, 2026-03-01, at commit 0123456789ab)."
    )


def test_what_was_not_measured_is_said(tmp_path):
    measurements = sweeping.kept(tmp_path / "none.json")
    assert sweeping.table(measurements).empty
    assert "`make bench-sweep`" in sweeping.finding(measurements)


def test_what_was_measured_here_stands_before_what_ships(tmp_path):
    here, ships = tmp_path / "sweeping.json", tmp_path / "shipped.json"
    ships.write_text(json.dumps(FOUND))
    assert sweeping.kept(here, ships) == FOUND
    here.write_text(json.dumps(FOUND | {"overhead": 0.5}))
    assert sweeping.kept(here, ships)["overhead"] == 0.5


@pytest.mark.parametrize(
    "change", [{"overhead": "x"}, {"share": [1]}, {"runs": 0}, {"date": "soon"}, {"an hour": None}]
)
def test_what_is_damaged_is_named_and_left_aside(change, tmp_path, capsys):
    path = tmp_path / "sweeping.json"
    path.write_text(json.dumps(FOUND | change))
    assert sweeping.kept(path) == {}
    assert "sweeping.json is no result of make bench-sweep (" in capsys.readouterr().err
