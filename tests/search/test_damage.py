"""What a sweep keeps beside its runs, damaged, locked, full or of another version: each cause has its own sentence."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from common.files import NotWritten, alone
from lab.execution.executing import ExecutionError
from lab.execution.notebook import Notebook
from lab.search import command, executors, keeping, storage, sweep
from lab.search.planning import Options
from lab.search.reading import SweepError
from lab.search.storage import File, studies
from lab.search.trials import Ending, Outcome, Trial
from lab.tracking import record_of
from sweep_kit import Fake, definition, run, run_configurations

pytestmark = pytest.mark.usefixtures("place")

STATE = {
    "study": "trial-0123456789ab",
    "fingerprint": "0123456789ab",
    "metric": "validationaccuracy",
    "goal": "maximize",
    "total": 3,
    "seeds": 1,
    "source": definition(),
    "options": {"count": 3, "workers": 2, "after": [], "timeout": 3600.0},
    "taken": [],
}


@pytest.fixture
def kept(tmp_path, database):
    """A folder with a study of one trial."""
    shutil.copy(database, tmp_path)
    File(tmp_path).open("study", "maximize", {})
    File(tmp_path).add("study", Trial({}, "one", {}, ("one",)))
    return tmp_path


def read_all(folder):
    return File(folder).trials("study")


# --- study.db ---


@pytest.mark.parametrize(
    "name", ["a%20b", "{x}", "what?", "a#b", "a b", "été", "'quoted'", "a;b&c=d", "{SCHEMA_VERSION}"]
)
def test_a_study_lies_in_its_folder_whatever_that_is_called(name, tmp_path):
    folder = tmp_path / name
    folder.mkdir()
    File(folder).open("study", "maximize", {})
    File(folder).add("study", Trial({}, "one", {}, ("one",)))
    assert [trial.name for trial in read_all(folder)] == ["one"]
    assert [study.name for study in studies(folder / "study.db")] == ["study"]
    assert {path.name for path in folder.iterdir()} == {"study.db"}
    assert name in {path.name for path in tmp_path.iterdir()}


def test_a_study_that_another_program_holds_is_locked(kept, monkeypatch):
    monkeypatch.setattr(storage, "PATIENCE", 0.05)
    with sqlite3.connect(kept / "study.db", isolation_level=None) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(SweepError, match=r"study.db is locked by another program .*: close what else has it open"):
            read_all(kept)
    other.close()


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ("database or disk is full", "cannot be used (database or disk is full): start again with the same command"),
        ("attempt to write a readonly database", "cannot be used (attempt to write a readonly database): start again"),
        ("unable to open database file", "cannot be used (unable to open database file): start again"),
        ("disk I/O error", "cannot be used (disk I/O error): start again"),
        ("database disk image is malformed", "is damaged: move it away and run the sweep again"),
    ],
)
def test_each_cause_has_a_sentence(said, sentence, kept, monkeypatch):
    def fail(*_, **__):
        raise sqlite3.OperationalError(said)

    monkeypatch.setattr(sqlite3, "connect", fail)
    with pytest.raises(SweepError) as raised:
        read_all(kept)
    assert f"study.db {sentence}" in str(raised.value)


DAMAGE = {
    "without its tables": "DROP TABLE trial_user_attributes; DROP TABLE trials; DROP TABLE studies",
    "without its studies": "DELETE FROM studies",
    "a name that is no JSON": "UPDATE trial_user_attributes SET value_json = '{'",
    "without a name": "DELETE FROM trial_user_attributes",
    "runs that are a number": "UPDATE trial_user_attributes SET value_json = '3' WHERE key = 'runs'",
    "runs that are a text": "UPDATE trial_user_attributes SET value_json = '\"one\"' WHERE key = 'runs'",
    "a name that is a number": "UPDATE trial_user_attributes SET value_json = '3' WHERE key = 'name'",
    "a name of lists in lists": f"UPDATE trial_user_attributes SET value_json = '{'[' * 10**5}' WHERE key = 'name'",
    "a time that is none": "UPDATE trials SET datetime_start = 'yesterday'",
    "no runs": "UPDATE trial_user_attributes SET value_json = '[]' WHERE key = 'runs'",
    "a run elsewhere": "UPDATE trial_user_attributes SET value_json = '[\"../one\"]' WHERE key = 'runs'",
    "bytes that are no text": "UPDATE studies SET study_name = CAST(x'ff' AS TEXT)",
    "two versions at once": "INSERT INTO alembic_version VALUES ('v3.0.0.a')",
    "a state that there is not": "UPDATE trials SET state = 'DONE'",
}


@pytest.mark.parametrize("statements", DAMAGE.values(), ids=DAMAGE)
def test_a_study_that_does_not_hold_what_it_should_is_damaged(statements, kept):
    with sqlite3.connect(kept / "study.db") as database:
        database.executescript(statements)
    database.close()
    with pytest.raises(SweepError, match=r"study.db is damaged: move it away and run the sweep again"):
        read_all(kept)


FOREIGN = [  # that nothing in a file leads to
    AttributeError("'Study' object has no attribute 'trails'"),
    NameError("name 'studdy' is not defined"),
    MemoryError(),
    RuntimeError("can't start new thread"),
    sqlite3.ProgrammingError("Cannot operate on a closed database."),
]


@pytest.mark.parametrize("error", FOREIGN, ids=repr)
def test_what_no_file_leads_to_is_called_what_it_is(error, kept, monkeypatch):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(storage.RDBStorage, "get_all_trials", fail)
    for read in (read_all, lambda folder: studies(folder / "study.db")):
        with pytest.raises(type(error)) as raised:
            read(kept)
        assert raised.value is error


@pytest.mark.parametrize(
    "error", [TypeError("unexpected argument"), KeyError("nmae"), ValueError("x"), *FOREIGN], ids=repr
)
def test_what_goes_wrong_while_writing_is_no_damage(error, kept, monkeypatch):
    def fail(*_, **__):
        raise error

    file = File(kept)
    assert file.trials("study")
    monkeypatch.setattr(storage.RDBStorage, "create_new_trial", fail)
    monkeypatch.setattr(storage.RDBStorage, "set_trial_state_values", fail)
    for write in (
        lambda: file.add("study", Trial({}, "two", {}, ("two",))),
        lambda: file.tell("study", 0, Ending(Outcome.FINISHED, 0.5)),
    ):
        with pytest.raises(type(error)) as raised:
            write()
        assert raised.value is error


def test_a_disk_that_fills_up_is_no_damage_and_loses_nothing(kept, monkeypatch):
    connect = sqlite3.connect

    def connect_full(*arguments, **options):
        connection = connect(*arguments, **options)
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages}")
        return connection

    with monkeypatch.context() as patch:
        patch.setattr(sqlite3, "connect", connect_full)
        with pytest.raises(SweepError, match=r"study.db cannot be used \(.*full\): start again .* once there is room"):
            File(kept).add("study", Trial({}, "long" * 10_000, {}, ("two",)))
    assert [trial.name for trial in read_all(kept)] == ["one"]


def test_a_study_of_another_optuna_is_no_damage(kept):
    with sqlite3.connect(kept / "study.db") as database:
        database.execute("UPDATE alembic_version SET version_num = 'v9.0.0.a'")
    database.close()
    with pytest.raises(SweepError, match=r"study.db was made by another version of Optuna: install that version"):
        read_all(kept)


# --- sweep.json ---


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"goal": "up"}, "goal: must be 'maximize' or 'minimize'"),
        ({"seeds": "2"}, "seeds: must be a valid integer"),
        ({"total": -1}, "total: must be greater than or equal to 0"),
        ({"metric": None}, "metric: must be a valid string"),
        ({"options": {"speed": 3}}, "options.speed: Extra inputs are not permitted"),
        ({"options": {"workers": "2"}}, "options.workers: must be a valid integer"),
        ({"source": []}, "source: must be a valid dictionary"),
        ({"names": ["one"]}, "must have either a study or names of runs"),
        ({"study": None}, "study: must be a valid string"),
    ],
)
def test_a_state_that_is_none_is_named_with_the_way_out(change, said, tmp_path):
    (tmp_path / "sweep.json").write_text(json.dumps(STATE | change))
    with pytest.raises(SweepError) as raised:
        File(tmp_path).state()
    assert f"{tmp_path / 'sweep.json'} is damaged: run the sweep again" in str(raised.value)
    assert said in str(raised.value)
    (tmp_path / "sweep.json").write_text(json.dumps(STATE))
    assert File(tmp_path).state() == STATE


def test_a_name_that_leads_out_of_the_folder_is_none(tmp_path):
    given = {key: STATE[key] for key in ("fingerprint", "metric", "goal", "total")} | {"names": ["../../elsewhere"]}
    (tmp_path / "sweep.json").write_text(json.dumps(given))
    with pytest.raises(SweepError, match=r"names.0: must be the name of one folder"):
        File(tmp_path).state()


# --- what is another user's ---


def told(capsys, *words):
    """The one line that a command ends with."""
    assert command.main(list(words)) == 1
    said = capsys.readouterr()
    assert not said.out
    assert len(said.err.splitlines()) == 1
    return said.err.strip()


@pytest.mark.parametrize("words", [("status",), ("best",), ("table",), ("resume",)])
@pytest.mark.parametrize("part", ["sweep.json", ""])
def test_a_sweep_that_may_not_be_read_is_no_damaged_one(part, words, notebook, forbidden, capsys):
    run(definition(), 1, notebook=notebook, execute=Fake())
    capsys.readouterr()
    forbidden(sweep.folder_of("trial") / part)
    path = sweep.folder_of("trial") / "sweep.json"
    cure = "ask its owner for the right to it, or choose another one"
    assert told(capsys, *words, "trial") == f"{path} cannot be read (Permission denied): {cure}"


def test_a_run_that_may_not_be_read_is_named_with_a_cure(notebook, forbidden, capsys):
    run(definition(), 1, notebook=notebook, execute=Fake())
    capsys.readouterr()
    folder = sweep.run_folder("trial", sweep.records("trial")[0])
    forbidden(folder / "record.json")
    assert sweep.status("trial").startswith("trial: 0 of 1 runs")
    assert "record.json cannot be read (Permission denied): ask its owner" in capsys.readouterr().err
    forbidden(folder)
    for words in (("status",), ("best",), ("table",)):
        assert "record.json cannot be used (Permission denied): ask its owner" in told(capsys, *words, "trial")


def test_a_sweep_file_that_may_not_be_read_is_named_with_a_cure(forbidden, tmp_path, capsys):
    (tmp_path / "plan.json").write_text(json.dumps(definition()))
    forbidden(tmp_path / "plan.json")
    said = told(capsys, "check", str(tmp_path / "plan.json"))
    assert said.startswith(f"{tmp_path / 'plan.json'} cannot be read (Permission denied): ask its owner")


def test_folders_of_runs_and_tables_that_are_another_user_s_are_named_with_a_cure(
    notebook, forbidden, tmp_path, capsys
):
    run(definition(), 1, notebook=notebook, execute=Fake())
    capsys.readouterr()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FASHION_RUNS", str(tmp_path / "theirs"))
        forbidden(tmp_path / "theirs")
        assert "trial cannot be used (Permission denied): ask its owner" in told(capsys, "upload", "trial")
    said = told(capsys, "table", "trial", "--csv", str(tmp_path / "theirs" / "a.csv"))
    assert said.startswith(f"{tmp_path / 'theirs' / 'a.csv'} cannot be written (Permission denied): make its folder")


def test_a_table_is_written_whole_and_to_no_pipe(notebook, tmp_path, capsys):
    run(definition(), 1, notebook=notebook, execute=Fake())
    capsys.readouterr()
    os.mkfifo(tmp_path / "pipe")
    assert "pipe cannot be written (it is a device" in told(capsys, "table", "trial", "--csv", str(tmp_path / "pipe"))


# --- driver.lock ---


@pytest.mark.parametrize("content", [b"", b"garbage" * 1000, b"SQLite format 3\0"])
def test_what_the_lock_s_file_holds_is_of_no_importance(content, tmp_path):
    (tmp_path / "driver.lock").write_bytes(content)
    (tmp_path / "driver.lock").chmod(0o444)
    with alone(tmp_path / "driver.lock") as mine, alone(tmp_path / "driver.lock") as again:
        assert (mine, again) == (True, False)
    assert (tmp_path / "driver.lock").read_bytes() == content


def test_a_lock_that_cannot_be_made_is_a_sentence(tmp_path):
    sentence = r"cannot be written \(it is a folder\): move away what is there"
    with pytest.raises(NotWritten, match=sentence), alone(tmp_path):
        pass


@pytest.mark.parametrize("name", ["driver.lock", "kernels.log"])
def test_a_pipe_in_the_place_of_a_file_is_a_sentence_and_not_waited_for(name, notebook):
    folder = sweep.folder_of("trial")
    os.mkfifo(folder / name)
    with pytest.raises(NotWritten, match=rf"{name} cannot be written \(it is a device and no file\)"):
        run(definition(), 1, notebook=notebook, execute=Fake())


@pytest.mark.kernel
def test_the_system_lifts_a_lock_whose_process_is_killed(tmp_path):
    code = "import sys\nfrom pathlib import Path\nfrom common.files import alone\n"
    code += "with alone(Path(sys.argv[1])) as mine:\n    print(mine, flush=True)\n    sys.stdin.read()"
    command = [sys.executable, "-c", code, str(tmp_path / "driver.lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "True\n"
        with alone(tmp_path / "driver.lock") as mine:
            assert not mine
        process.kill()
        process.wait()
    with alone(tmp_path / "driver.lock") as mine:
        assert mine


# --- runs ---


def test_a_damaged_record_is_left_aside_and_its_run_alone_runs_again(notebook, capsys):
    fake = Fake()
    run(definition(), 3, notebook=notebook, execute=fake)
    records = sweep.records("trial")
    damaged = sweep.run_folder("trial", records[1])
    (damaged / "record.json").write_text(json.dumps(records[1] | {"history": "epochs"}))
    assert sweep.status("trial").startswith("trial: 2 of 3 runs (2 finished)")
    assert "record.json is no record of a run (history: must be a valid list)" in capsys.readouterr().err
    assert len(run(definition(), 3, notebook=notebook, execute=fake)) == 3
    assert len(fake.ran) == 4
    assert record_of(damaged)["history"] == records[1]["history"]
    assert (damaged / "damaged_record.json").exists()


def test_the_record_of_another_configuration_is_named_and_its_run_made_anew(notebook, capsys):
    fake = Fake()
    run(definition(), 3, notebook=notebook, execute=fake)
    first, second, third = sweep.records("trial")
    shutil.copy(sweep.run_folder("trial", first) / "record.json", sweep.run_folder("trial", second))
    run(definition(), 3, notebook=notebook, execute=fake)
    assert "is that of another configuration: its run is made anew" in capsys.readouterr().err
    assert len(fake.ran) == 4
    assert [record["config"] for record in sweep.records("trial")] == [run["config"] for run in (first, second, third)]


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"history": []}, "has finished without an epoch"),
        ({"history": [{"epoch": 1, "loss": 0.5}]}, "has no validationaccuracy after the last epoch"),
        ({"history": [{"epoch": 1, "validationaccuracy": None}]}, "has no validationaccuracy after the last epoch"),
        ({"config": {}}, "is that of another configuration"),
    ],
    ids=["no epochs", "no metric", "no number", "no configuration"],
)
def test_a_finished_record_without_a_result_is_named_and_its_run_made_anew(change, fault, notebook, capsys):
    fake = Fake()
    run(definition(), 3, notebook=notebook, execute=fake)
    before = sweep.records("trial")
    damaged = sweep.run_folder("trial", before[1])
    (damaged / "record.json").write_text(json.dumps(before[1] | change))
    run(definition(), 3, notebook=notebook, execute=fake)
    assert f"{damaged / 'record.json'} {fault}: its run is made anew" in capsys.readouterr().err
    assert len(fake.ran) == 4
    assert [record["history"] for record in sweep.records("trial")] == [record["history"] for record in before]


def test_a_given_configuration_without_an_epoch_on_record_is_run_anew(notebook, capsys):
    fake = Fake()
    (record,) = run_configurations([{"layers": 2}], "trial", notebook=notebook, execute=fake)
    path = sweep.run_folder("trial", record) / "record.json"
    path.write_text(json.dumps(record | {"history": []}))
    assert run_configurations([{"layers": 2}], "trial", notebook=notebook, execute=fake) == [record]
    assert f"{path} has finished without an epoch: its run is made anew" in capsys.readouterr().err
    assert len(fake.ran) == 2


def test_a_notebook_that_keeps_no_epoch_fails_with_a_sentence(notebook):
    class Silent(Fake):
        def __call__(self, notebook, output, parameters, *more):
            super().__call__(notebook, output, parameters, *more)
            path = Path(parameters["folder"]) / "record.json"
            path.write_text(json.dumps(json.loads(path.read_text()) | {"history": []}))

    with pytest.raises(SweepError, match=r"03_train.ipynb must keep each epoch with run.log\(epoch\)"):
        run_configurations([{"layers": 2}], "trial", notebook=notebook, execute=Silent())


def test_a_stopped_record_without_an_epoch_is_none_and_its_run_made_anew(notebook, capsys):
    fake = Fake()
    run(definition(), 2, notebook=notebook, execute=fake)
    before = sweep.records("trial")
    path = sweep.run_folder("trial", before[1]) / "record.json"
    path.write_text(json.dumps(before[1] | {"status": "stopped", "history": []}))
    assert "1 of 2 runs" in sweep.status("trial")
    assert "a run that was stopped has had an epoch" in capsys.readouterr().err
    run(definition(), 2, notebook=notebook, execute=fake)
    assert (len(fake.ran), sweep.records("trial")) == (3, before)


@pytest.mark.parametrize("name", ["03_train.running.ipynb", "03_train.ipynb"])
@pytest.mark.parametrize("ended", [False, True])
def test_a_folder_in_the_place_of_an_executed_notebook_stops_no_sweep(name, ended, notebook):
    fake = Fake()
    (record,) = run_configurations([{"layers": 2}], "trial", notebook=notebook, execute=fake)
    folder = sweep.run_folder("trial", record)
    (folder / "03_train.ipynb").rename(folder / "03_train.running.ipynb")  # as a kill may leave it
    (folder / name).unlink(missing_ok=True)
    (folder / name).mkdir()
    if not ended:
        (folder / "record.json").unlink()
    (again,) = run_configurations([{"layers": 2}], "trial", notebook=notebook, execute=fake)
    assert again["status"] == "finished"
    assert len(fake.ran) == 2 - ended


def test_an_executed_notebook_of_other_bytes_stops_no_sweep(notebook):
    (record,) = run_configurations([{"layers": 2}], "trial", notebook=notebook, execute=Fake())
    (sweep.run_folder("trial", record) / "03_train.running.ipynb").write_bytes(b"\xff\xfe")
    assert run_configurations([{"layers": 2}], "trial", notebook=notebook, execute=Fake()) == [record]


def test_a_file_in_the_place_of_a_run_s_folder_is_named(notebook):
    (record,) = run_configurations([{"layers": 2}], "trial", notebook=notebook, execute=Fake())
    folder = sweep.run_folder("trial", record)
    shutil.rmtree(folder)
    folder.write_text("")
    with pytest.raises(NotWritten, match=r"cannot be written \(File exists\): move away what is there"):
        run_configurations([{"layers": 2}], "trial", notebook=notebook, execute=Fake())


def test_a_kernel_that_dies_when_its_run_is_finished_has_done_its_part(notebook):
    class Dies(Fake):
        def __call__(self, *arguments):
            super().__call__(*arguments)
            raise ExecutionError("DeadKernelError: Kernel died", died=True)

    fake = Dies()
    table = run(definition(), 3, notebook=notebook, execute=fake)
    assert list(table["status"]) == ["finished"] * 3
    assert len(fake.ran) == 3
    assert not list(sweep.folder_of("trial").glob("*/previous_*"))


def test_a_kernel_that_dies_each_time_is_tried_three_times_and_that_is_said(notebook):
    tries = []

    def die(*_):
        tries.append(1)
        raise ExecutionError("its kernel was killed (SIGKILL)", died=True)

    with pytest.raises(SweepError, match=r"failed with 3 times over, its kernel was killed \(SIGKILL\)"):
        run_configurations([{"layers": 2}], notebook=notebook, execute=die)
    assert len(tries) == 3


@pytest.mark.parametrize("harm", ["no folder", "a folder for a record", "a pipe for a record"])
def test_a_run_whose_folder_somebody_has_spoilt_fails_alone(harm, notebook):
    class Spoilt(Fake):
        def __call__(self, notebook, output, parameters, timeout, hear):
            super().__call__(notebook, output, parameters, timeout, hear)
            folder = Path(parameters["folder"])
            if parameters["layers"] == 3 and len(self.ran) <= 3:
                shutil.rmtree(folder)
                if harm != "no folder":
                    folder.mkdir()
                    (os.mkfifo if "pipe" in harm else os.mkdir)(folder / "record.json")

    fake, plan = Spoilt(), definition("grid", {"layers": {"values": [2, 3, 4]}})
    assert list(run(plan, workers=1, notebook=notebook, execute=fake)["status"]) == ["finished", "failed", "finished"]
    assert list(run(plan, workers=1, notebook=notebook, execute=fake)["status"]) == ["finished"] * 3
    assert len(fake.ran) == 4


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"seed": -1}, "seed must be a whole number, 0 or more, not -1"),
        ({"timeout": float("inf")}, r"timeout must be a number of seconds above 0, below 1e\+09, not inf"),
        ({"timeout": float("nan")}, r"timeout must be a number of seconds above 0, below 1e\+09, not nan"),
        ({"workers": 10**9}, "workers must be from 1 to 512, not 1000000000"),
        ({"workers": 0}, "workers must be from 1 to 512, not 0"),
        ({"cluster": "tls://me:mine@host:8786"}, "a scheduler's address is kept with its sweep, and must hold no"),
    ],
)
def test_options_that_cannot_work_are_refused_before_anything(options, said):
    with pytest.raises(SweepError, match=said):
        Options(**options)


@pytest.mark.parametrize("name", ["results.json", "Benchmark.JSON", "baseline", "single"])
def test_names_of_what_lies_beside_sweeps_are_refused(name, notebook):
    with pytest.raises(SweepError, match="choose another name"):
        run(definition() | {"name": name}, 3, notebook=notebook, execute=Fake())


def test_a_server_of_w_and_b_s_that_is_lost_costs_one_run_its_wait(tmp_path, monkeypatch, capsys):
    made, record = [], {"started": "2026-01-02T03:04:05+00:00"}
    monkeypatch.setattr(keeping, "reachable_mode", lambda: "online")
    monkeypatch.setattr(keeping, "keep_offline", lambda record, folder, project: made.append(folder.name))
    copies = keeping.Copies("mine")
    for name in ("there", "lost", "late", "again", "next"):
        (tmp_path / name / "wandb").mkdir(parents=True)

    def end(name, *offline):  # years in which the run has left an offline one
        for year in offline:
            (tmp_path / name / "wandb" / f"offline-run-{year}").mkdir()
            moment = datetime(year, 1, 2, 3, 4, 6, tzinfo=UTC).timestamp()
            os.utime(tmp_path / name / "wandb" / f"offline-run-{year}", (moment, moment))
        copies.make(record, tmp_path / name)

    end("there", 2025)  # of an earlier attempt
    assert copies.environment == {"WANDB_PROJECT": "mine"}
    assert capsys.readouterr().out == ""
    end("lost", 2026)
    assert copies.environment == {"WANDB_PROJECT": "mine", "WANDB_MODE": "disabled"}
    end("late", 2026)  # it had begun before that was known
    end("again", 2025)
    end("next")
    assert made == ["again", "next"]
    assert capsys.readouterr().out.splitlines() == [keeping.FALLEN_BEHIND]


def test_kernels_hear_of_it_while_a_sweep_runs(notebook, tmp_path):
    environment, heard = {}, []
    with executors.Here(1, Notebook(notebook), tmp_path / "kernels.log", environment) as here:
        here._kernels.execute = lambda *arguments, **_: heard.append(arguments[4])
        for mode in ({}, {"WANDB_MODE": "disabled"}):
            environment |= mode
            here.execute(notebook, tmp_path / "output.ipynb", {"folder": str(tmp_path)}, 60, None)
    assert heard == [{}, {"WANDB_MODE": "disabled"}]
