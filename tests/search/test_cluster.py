"""Workers that share a sweep through a real PostgreSQL: each configuration once, whatever is killed or started anew."""

import json
import os
import signal
import subprocess
import sys
import time

import optuna
import pytest
import sqlalchemy

from lab.search import study, sweep
from postgres import Postgres, programs
from sweep_kit import Fake, definition, journal, kernels, wait_for

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("place")]


@pytest.fixture(scope="session")
def server():
    if programs() is None and os.environ.get("CI") != "true":
        pytest.skip("PostgreSQL, which these workers share, is not installed: apt-get install postgresql")
    server = Postgres()
    yield server
    server.close()


@pytest.fixture
def storage(server):
    """An empty database."""
    engine = sqlalchemy.create_engine(server.url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.connect() as connection:
        connection.execute(sqlalchemy.text("DROP SCHEMA public CASCADE"))
        connection.execute(sqlalchemy.text("CREATE SCHEMA public"))
        connection.commit()
    engine.dispose()
    return server.url


DRIVE = """
import json, sys
from lab.search import running, study, sweep
study.BEAT, running.POLL = 0.5, 0.2
plan, notebook, storage, root, workers = sys.argv[1:]
sweep.run(json.loads(plan), workers=int(workers), notebook=notebook, storage=storage, root=root, timeout=60)
"""


def worker(plan, notebook, storage, root, workers=1, **variables):
    """A driver in a process of its own, with a folder of its own: no file system is shared."""
    command = [sys.executable, "-c", DRIVE, json.dumps(plan), str(notebook), storage, str(root), str(workers)]
    return subprocess.Popen(command, env=os.environ | variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def outcome(process):
    output = process.communicate(timeout=120)[0].decode()
    assert process.returncode == 0, output
    return output


PARAMETERS = {"layers": {"values": [2, 3, 4]}, "activation": {"values": ["TANH", "RELU"]}, "seed": {"values": [0, 1]}}


def test_workers_share_a_sweep_and_none_sees_the_others_files(notebook, storage, tmp_path):
    plan = definition("bayes", PARAMETERS, run_cap=8)
    workers = [worker(plan, notebook, storage, tmp_path / name, EPOCH="0.1") for name in ("one", "two")]
    for process in workers:
        assert "trial: 8 of 8 runs (8 finished); best validationaccuracy 0.9990" in outcome(process)
    assert len(journal("end")) == len(set(journal("end"))) == 8
    folders = [{path.parent.name for path in (tmp_path / name).glob("trial/*/record.json")} for name in ("one", "two")]
    assert all(folders)
    assert not folders[0] & folders[1]
    table = sweep.table("trial", root=tmp_path / "elsewhere", storage=storage)
    assert set(table.name) == folders[0] | folders[1]
    assert sweep.best("trial", tmp_path / "elsewhere", storage)["config"]["layers"] == 3
    with pytest.raises(sweep.SweepError, match="there is no sweep 'other' in postgresql://tester@127"):
        sweep.status("other", storage=storage)


def test_kill_9_of_a_worker_gives_its_runs_to_another_and_loses_no_result(notebook, storage, tmp_path):
    plan = definition("random", PARAMETERS, run_cap=10)
    places = [tmp_path / name for name in ("one", "two", "three")]
    workers = [worker(plan, notebook, storage, place, EPOCH="0.2") for place in places]
    wait_for(lambda: len(journal("end")) >= 3)
    below = kernels(workers[0].pid)
    workers[0].kill()
    workers[0].communicate()
    assert all("10 of 10 runs (10 finished)" in outcome(process) for process in workers[1:])
    wait_for(lambda: not any(process.is_running() for process in below), seconds=30)
    found = sweep.records("trial", storage=storage)
    assert len(found) == len({record["name"] for record in found}) == 10
    assert {record["name"] for record in found} == set(journal("end"))
    complete = [t for t in trials(storage) if t.state == optuna.trial.TrialState.COMPLETE]
    assert len({trial.user_attrs["name"] for trial in complete}) == len(complete) == 10


def test_the_database_is_started_anew_in_the_middle(notebook, storage, server, tmp_path):
    plan = definition("random", PARAMETERS, run_cap=8)
    workers = [worker(plan, notebook, storage, tmp_path / name, EPOCH="0.2") for name in ("one", "two")]
    wait_for(lambda: len(journal("end")) >= 2)
    server.stop()
    time.sleep(3)
    server.start()
    said = [outcome(process) for process in workers]
    assert all("8 of 8 runs (8 finished)" in text for text in said)
    assert any("does not answer" in text and "trying again for 10 minutes" in text for text in said)
    complete = [t for t in trials(storage) if t.state == optuna.trial.TrialState.COMPLETE]
    assert len({trial.user_attrs["name"] for trial in complete}) == len(complete) == 8


def test_hyperband_stops_runs_of_workers_that_share_a_database(notebook, storage, tmp_path):
    parameters = {"learning_rate": {"values": [0.1, 0.2, 0.5, 0.6]}, "max_epochs": {"value": 4}, "layers": {"value": 3}}
    rule = {"type": "hyperband", "min_iter": 1, "eta": 2}
    plan = definition("grid", parameters, early_terminate=rule)
    outcome(worker(plan, notebook, storage, tmp_path / "one"))
    table = sweep.table("trial", storage=storage)
    assert list(table.status) == ["finished", "finished", "stopped", "stopped"]


def test_a_worker_that_was_taken_for_dead_puts_nothing_on_record_twice(notebook, storage, tmp_path, capsys):
    """It was only slow: by the time it has its result, its place has been given to another."""
    plan, server = definition("grid", {"layers": {"values": [3]}}), study.Server(storage)

    class Slow(Fake):
        def __call__(self, *arguments):
            super().__call__(*arguments)
            assert len(trials(storage)) == 1
            with server.storage.engine.connect() as connection:
                connection.execute(sqlalchemy.text("DELETE FROM trial_heartbeats"))
                connection.commit()
            other = Fake()
            sweep.run(plan, notebook=notebook, storage=storage, root=tmp_path / "other", execute=other)
            assert len(other.ran) == 1

    sweep.run(plan, notebook=notebook, storage=storage, root=tmp_path / "slow", execute=Slow())
    assert "another worker has taken this over" in capsys.readouterr().out
    states = [trial.state.name for trial in trials(storage)]
    assert states == ["FAIL", "COMPLETE"]
    assert len(sweep.records("trial", storage=storage)) == 1


def test_what_failed_is_tried_again_when_nobody_else_runs(notebook, storage, tmp_path):
    plan, bad = definition("grid", {"layers": {"values": [2, 3]}}), {"layers": 2}
    for fails, status in [(True, "1 failed, 1 finished"), (True, "1 failed, 1 finished"), (False, "2 finished")]:
        fake = Fake(fail=[bad] if fails else [])
        sweep.run(plan, workers=1, notebook=notebook, storage=storage, root=tmp_path / "one", execute=fake)
        assert fake.ran[0] == bad
        assert status in sweep.status("trial", storage=storage)


def test_ctrl_c_gives_the_place_back_at_once(notebook, storage, tmp_path):
    plan = definition("grid", {"layers": {"values": [3]}})
    first = worker(plan, notebook, storage, tmp_path / "one", EPOCH="30")
    wait_for(lambda: len(journal("begin")) == 1)
    first.send_signal(signal.SIGINT)
    first.communicate(timeout=30)
    (trial,) = trials(storage)
    assert trial.state == optuna.trial.TrialState.FAIL
    assert "interrupted" in trial.user_attrs
    fake = Fake()
    sweep.run(plan, notebook=notebook, storage=storage, root=tmp_path / "two", execute=fake)
    assert fake.ran == [{"layers": 3}]


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("sqlite:///x.db", "storage must be postgresql://user@host/database, not 'sqlite:///x.db'"),
        ("nonsense", "storage must be postgresql://user@host/database, not 'nonsense'"),
    ],
)
def test_a_storage_that_is_none_is_refused(url, sentence, notebook):
    with pytest.raises(sweep.SweepError) as refusal:
        sweep.run(definition(), 3, storage=url, notebook=notebook, execute=Fake())
    assert sentence in str(refusal.value)


def test_a_server_that_is_not_there_is_one_sentence_without_the_password(notebook, monkeypatch, capsys):
    monkeypatch.setattr(study.Server, "patience", 0)
    url = "postgresql://me:secret@127.0.0.1:1/none"
    assert sweep.main(["status", "trial", "--storage", url]) == 1
    error = capsys.readouterr().err
    assert len(error.splitlines()) == 1
    assert "the database postgresql://me:***@127.0.0.1:1/none does not answer (" in error
    assert "secret" not in error


def trials(storage):
    server = study.Server(storage)
    (name,) = optuna.get_all_study_names(server.storage)
    return server.open(name).get_trials(deepcopy=False)
