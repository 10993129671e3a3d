"""Sweeps are watched without being touched, and a file that is locked for good is named."""

import json
import sqlite3
import threading
import urllib.error
import urllib.request

import optuna
import pytest
from optuna.distributions import FloatDistribution

from lab.search import storage, watching
from lab.search.reading import SweepError
from lab.search.storage import File
from lab.search.trials import Ending, Outcome, Trial


@pytest.fixture
def sweep(tmp_path):
    """A sweep's file with a finished trial, a stopped one, and one that runs."""
    (tmp_path / "trial").mkdir()
    file = File(tmp_path / "trial")
    file.open("trial-1", "maximize", {"lag": 4})
    for k, end in enumerate([Ending(Outcome.FINISHED, 0.5), Ending(Outcome.STOPPED, 0.25, 3), None]):
        file.add("trial-1", Trial({"x": k / 10}, str(k), {"x": FloatDistribution(0, 1)}))
        if end:
            file.tell("trial-1", k, end)
    return file


def study(copies):
    return optuna.load_study(study_name="trial-1", storage=copies.storage)


def test_what_is_shown_follows_the_file_and_never_changes_it(sweep, tmp_path):
    copies, path = watching.Copies(tmp_path), tmp_path / "trial" / "study.db"
    before = path.read_bytes()
    copies.refresh()
    assert [trial.value for trial in study(copies).trials] == [0.5, 0.25, None]
    study(copies).set_user_attr("note", "somebody wrote this in the dashboard")
    copies.refresh()
    assert path.read_bytes() == before
    sweep.tell("trial-1", 2, Ending(Outcome.FAILED, reason="ValueError: x"))
    sweep.add("trial-1", Trial({"x": 0.9}, "9", {"x": FloatDistribution(0, 1)}))
    copies.refresh()
    trials = study(copies).trials
    assert [trial.state.name for trial in trials] == ["COMPLETE", "PRUNED", "FAIL", "RUNNING"]
    assert trials[2].user_attrs["reason"] == "ValueError: x"
    assert trials[1].intermediate_values == {3: 0.25}


def test_a_sweep_goes_on_while_it_is_watched_and_the_page_answers(sweep, tmp_path):
    copies = watching.Copies(tmp_path)
    copies.refresh()
    with watching.server(copies, port=0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/api/studies", timeout=30) as answer:
                names = [one["study_name"] for one in json.load(answer)["study_summaries"]]
            sweep.tell("trial-1", 2, Ending(Outcome.FINISHED, 0.75))
        finally:
            server.shutdown()
            thread.join()
        with pytest.raises(SweepError, match=r"port \d+ of 127\.0\.0\.1 cannot be had \(.+\): choose another --port"):
            watching.server(copies, port=server.server_port)
    assert names == ["trial-1"]
    copies.refresh()
    assert study(copies).best_value == 0.75


@pytest.mark.parametrize("method", ["DELETE", "POST", "PUT"])
def test_nothing_is_changed_in_the_dashboard(method, sweep, tmp_path):
    """A copy that somebody removes there would be missing at the next look."""
    copies = watching.Copies(tmp_path)
    copies.refresh()
    with watching.server(copies, port=0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        address = f"http://127.0.0.1:{server.server_port}/api/studies/0{'/note' * (method == 'PUT')}"
        try:
            with pytest.raises(urllib.error.HTTPError) as refusal:
                urllib.request.urlopen(urllib.request.Request(address, b"{}", method=method), timeout=30)
        finally:
            server.shutdown()
            thread.join()
    with refusal.value as answer:
        assert answer.code == 403
        assert "only read" in json.load(answer)["reason"]
    assert [one.study_name for one in copies.storage.get_all_studies()] == ["trial-1"]


def test_a_file_that_stays_locked_is_named_once_and_read_later(sweep, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(storage, "PATIENCE", 0.1)
    copies, holder = watching.Copies(tmp_path), sqlite3.connect(tmp_path / "trial" / "study.db")
    holder.execute("BEGIN EXCLUSIVE")
    copies.refresh()
    copies.refresh()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1
    assert "study.db is locked by another program (" in lines[0]
    holder.rollback()
    holder.close()
    copies.refresh()
    assert len(study(copies).trials) == 3


def test_a_file_that_is_no_study_is_named(tmp_path, capsys):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "study.db").write_bytes(b"x" * 5000)
    watching.Copies(tmp_path).refresh()
    assert "study.db is damaged" in capsys.readouterr().out


@pytest.mark.parametrize("port", [-1, 99_999])
def test_what_is_no_port_is_named(port, tmp_path):
    pytest.importorskip("optuna_dashboard")
    with pytest.raises(SweepError, match=f"port {port} of 127.0.0.1 cannot be had"):
        watching.server(watching.Copies(tmp_path), port=port)
