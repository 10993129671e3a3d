"""A sweep on a real scheduler and real workers of Dask's: each configuration once, whatever is killed or comes back."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import nbformat
import pytest
from distributed import Client

from dask_kit import Room
from lab.execution.executing import ExecutionError
from lab.search import cluster, remote, sweep
from lab.search.results import trials_of
from sweep_kit import definition, journal, run, wait_for

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("place")]
TWELVE = {"layers": {"values": [2, 3, 4]}, "activation": {"values": ["TANH", "RELU"]}, "seed": {"values": [0, 1]}}


@pytest.fixture
def room():
    room = Room()
    yield room
    room.close()


DRIVE = """
import json, sys
from lab.search import sweep
plan, notebook, address = sys.argv[1:]
try:
    sweep.run(json.loads(plan), notebook=notebook, cluster=address, timeout=60)
except sweep.SweepError as error:
    sys.exit(str(error))
"""


def drive(plan, notebook, room):
    """A driver in a process of its own."""
    command = [sys.executable, "-c", DRIVE, json.dumps(plan), str(notebook), room.address]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def outcome(process):
    output = process.communicate(timeout=120)[0]
    assert process.returncode == 0, output
    return output


def on_record_once(number):
    """Every configuration has its result, and only one."""
    results = [trial.name for trial in trials_of("trial")[1] if trial.has_result]
    names = [record["name"] for record in sweep.records("trial")]
    return len(results) == len(set(results)) == len(set(names)) == len(names) == number


def test_runs_come_home_from_workers(notebook, room, capfd):
    """With early stopping, over each of two seeds, and with all that a run leaves."""
    source = nbformat.read(notebook, as_version=4)
    source.cells[1].source += '\nopen(folder + "/weights.npz", "w").write("weights")'
    nbformat.write(source, notebook)
    room.worker()
    room.worker()
    rates, rule = [0.1, 0.2, 0.5, 0.6], {"type": "hyperband", "min_iter": 1, "eta": 2}
    parameters = {"learning_rate": {"values": rates}, "max_epochs": {"value": 4}, "layers": {"value": 3}}
    plan = definition("grid", parameters, early_terminate=rule, seeds=2)
    table = run(plan, keep=None, notebook=notebook, cluster=room.address)
    status = table.groupby("learning_rate").status.agg(set)
    assert status[0.1] == {"finished"}  # the best is never stopped, whoever comes first
    assert "stopped" in status[0.6]  # the worst starts last
    for record in sweep.records("trial"):
        folder = sweep.run_folder("trial", record)
        assert {path.name for path in folder.iterdir()} == {"record.json", "03_train.ipynb", "weights.npz"}
        assert record["threads"] == dict.fromkeys(record["threads"], "1")
        assert f"seed = {record['config']['seed']}" in (folder / "03_train.ipynb").read_text()
    assert capfd.readouterr().err == ""
    assert sweep.status("trial").startswith("trial: ")


def come_home():
    return len(records_at_home())


def records_at_home():
    return [json.loads(path.read_text()) for path in Path(os.environ["FASHION_RUNS"]).glob("trial/*/record.json")]


@pytest.mark.long
def test_whatever_is_killed_each_configuration_is_on_record_once(notebook, room):
    """Workers one after another, then the driver, then the scheduler; what has come home is not run again."""
    plan, staff = definition("grid", TWELVE), [room.worker(EPOCH="0.1"), room.worker(EPOCH="0.1")]
    driver = drive(plan, notebook, room)
    for number in (2, 4):
        wait_for(lambda number=number: come_home() >= number)
        staff.pop(0).kill()
        staff.append(room.worker(EPOCH="0.1"))
    wait_for(lambda: come_home() >= 5)
    driver.kill()
    driver.communicate()
    home, ended = {record["name"] for record in sweep.records("trial")}, Counter(journal("end"))

    driver = drive(plan, notebook, room)
    wait_for(lambda: come_home() >= len(home) + 2)
    room.scheduler.kill()
    output = driver.communicate(timeout=60)[0]
    assert driver.returncode == 1
    assert "Traceback" not in output
    assert "the scheduler at tcp://127.0.0.1:" in output.splitlines()[-1]
    assert "is no more: start one there, and the same command goes on" in output.splitlines()[-1]

    room.start_scheduler(0)
    room.worker()
    assert "12 of 12 runs (12 finished)" in outcome(drive(plan, notebook, room))
    assert on_record_once(12)
    assert all(Counter(journal("end"))[name] == ended[name] for name in home)


@pytest.mark.long
def test_a_worker_that_was_taken_for_dead_adds_nothing_when_it_comes_back(notebook):
    room = Room(DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL="2s")
    try:
        slow = room.worker(EPOCH="1")
        plan = definition("grid", {"layers": {"values": [2, 3]}})
        driver = drive(plan, notebook, room)
        wait_for(lambda: len(journal("begin")) == 1)
        slow.send_signal(signal.SIGSTOP)  # its kernel goes on
        room.worker()
        wait_for(lambda: len(list(Path(os.environ["FASHION_RUNS"]).glob("trial/*/record.json"))) == 2)
        slow.send_signal(signal.SIGCONT)
        assert "2 of 2 runs (2 finished)" in outcome(driver)
        assert on_record_once(2)
    finally:
        room.close()


def test_a_mistake_of_the_driver_s_own_is_not_taken_for_a_lost_scheduler(notebook, room, monkeypatch):
    shown = []
    monkeypatch.setattr(threading, "excepthook", lambda about: shown.append(about.exc_value))
    monkeypatch.setattr(cluster.Cluster, "_is_fit", lambda *_: len(3))
    room.worker()
    with pytest.raises(
        sweep.SweepError, match=r"follow its workers no more \(TypeError: .* has no len\(\)\)"
    ) as raised:
        run(definition("grid", {"layers": {"values": [2, 3]}}), notebook=notebook, cluster=room.address)
    assert "the scheduler" not in str(raised.value)
    assert [type(error) for error in shown] == [TypeError]
    assert not records_at_home()


@pytest.mark.long
def test_a_scheduler_that_says_nothing_for_long_is_named_and_nothing_hangs(notebook, room, monkeypatch):
    """One that was stopped, or swaps, or behind a network that swallows packets: its connections stay open."""
    monkeypatch.setattr(cluster, "ANSWER", 1)
    monkeypatch.setattr(cluster, "SILENCE", 3)
    room.worker(EPOCH="0.2")

    def stop():
        wait_for(lambda: come_home() >= 1)
        room.scheduler.send_signal(signal.SIGSTOP)

    stopping = threading.Thread(target=stop)
    stopping.start()
    with pytest.raises(sweep.SweepError, match=r"the scheduler at \S+ has said nothing for 3 s: see that it runs, and"):
        run(definition("grid", TWELVE), notebook=notebook, cluster=room.address)
    stopping.join()
    assert {record["status"] for record in records_at_home()} == {"finished"}
    room.scheduler.send_signal(signal.SIGCONT)
    assert set(run(definition("grid", TWELVE), notebook=notebook, cluster=room.address).status) == {"finished"}
    assert on_record_once(12)


@pytest.mark.parametrize("error", [OSError("cut off"), TimeoutError("late")], ids=repr)
def test_a_verdict_that_does_not_arrive_fails_no_run(error, notebook, room, monkeypatch):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(Client, "run", fail)
    room.worker()
    rule = {"type": "hyperband", "min_iter": 1, "eta": 2}
    plan = definition("grid", {"layers": {"value": 3}}, early_terminate=rule)
    assert list(run(plan, notebook=notebook, cluster=room.address).status) == ["finished"]


FAKE_GIT = "#!/bin/sh\necho 0123456789ab\n"


def test_workers_that_differ_are_refused_by_name_before_anything_runs(notebook, room, tmp_path):
    """One on another commit, one with another NumPy, one without the data; a right one runs it all."""
    source = nbformat.read(notebook, as_version=4)
    source.cells[1].source = "import fashion_mnist\n" + source.cells[1].source
    nbformat.write(source, notebook)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "git").write_text(FAKE_GIT)
    (tmp_path / "bin" / "git").chmod(0o755)
    numpy = tmp_path / "elsewhere" / "numpy-1.0.dist-info"
    numpy.mkdir(parents=True)
    (numpy / "METADATA").write_text("Metadata-Version: 2.1\nName: numpy\nVersion: 1.0\n")
    room.worker(PATH=f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}", JOURNAL=str(tmp_path / "another"))
    room.worker(PYTHONPATH=str(numpy.parent), JOURNAL=str(tmp_path / "another"))
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "train-images-idx3-ubyte").write_text("no images")
    room.worker(FASHION_MNIST_DIR=str(empty), JOURNAL=str(tmp_path / "another"))
    driver = drive(definition("grid", {"layers": {"values": [2, 3]}}), notebook, room)
    said = []
    while len(said) < 3:
        line = driver.stdout.readline()
        assert line
        said += [line] if "is refused" in line else []
    room.worker()
    assert "2 of 2 runs (2 finished)" in outcome(driver)
    assert not (tmp_path / "another").exists()
    assert all(line.startswith("the worker tcp://127.0.0.1:") for line in said)
    reasons = "".join(said)
    assert "its commit is 0123456789ab" in reasons
    assert "its NumPy is 1.0, and the driver's" in reasons
    assert "it lacks what the notebook needs" in reasons


@pytest.mark.parametrize("place", ["tcp://127.0.0.1:1", "nowhere.json", "tcp:///"])
def test_no_scheduler_is_a_sentence(place, notebook, monkeypatch):
    monkeypatch.setattr(cluster, "ANSWER", 0.5)
    with pytest.raises(sweep.SweepError) as refusal:
        run(definition(), 3, notebook=notebook, cluster=place)
    assert place in str(refusal.value)
    assert "start one with `dask scheduler`" in str(refusal.value)


# --- secrets ---

TELLING = """
import os, time
from lab import tracking

if layers == 4:
    raise RuntimeError("no answer to " + os.environ["SERVICE_TOKEN"])
with tracking.start(dict(layers=layers, seed=seed), folder) as run:
    print("asked with", os.environ["SERVICE_TOKEN"])
    run.log(dict(epoch=1, loss=0.5, validationaccuracy=0.5, seconds=0.1))
    if layers == 3:
        raise RuntimeError("no answer from " + os.environ["DATABASE"])
    while not os.path.exists(os.environ["GATE"]):
        time.sleep(0.02)
"""
DRIVERS, WORKERS = "mark3d-of-the-driver", "mark3d-of-the-worker"


def test_no_secret_of_driver_or_worker_reaches_a_file_a_log_or_the_scheduler(notebook, room, tmp_path, monkeypatch):
    """While one run waits and two have failed, all that the scheduler and the worker know is written down as well."""
    source = nbformat.read(notebook, as_version=4)
    source.cells[1].source = TELLING
    nbformat.write(source, notebook)
    address = f"postgresql://me:{WORKERS}@127.0.0.1:9/db"
    room.worker(SERVICE_TOKEN=WORKERS, DATABASE=address, GATE=str(tmp_path / "gate"))
    for name in ("WANDB_API_KEY", "SERVICE_TOKEN"):
        monkeypatch.setenv(name, DRIVERS)
    driver = drive(definition("grid", {"layers": {"values": [4, 3, 2]}}), notebook, room)
    wait_for(lambda: [record["status"] for record in records_at_home()] == ["failed"] * 2)
    with Client(room.address, set_as_default=False) as client:
        client.dump_cluster_state(str(tmp_path / "state"), write_from_scheduler=False, format="yaml")
    (tmp_path / "gate").touch()
    said = outcome(driver)
    assert said.count("no answer") == 2
    files = [path for place in (tmp_path, room.folder) for path in place.rglob("*") if path.is_file()]
    assert sum(path.suffix == ".ipynb" and b"asked with ***" in path.read_bytes() for path in files) == 2
    texts = {str(path): path.read_bytes() for path in files} | {"said": said.encode()}
    assert not [name for name, text in texts.items() if DRIVERS.encode() in text or WORKERS.encode() in text]


# --- what a worker sends ---


def parcel_of(files):
    return {"files": files, "error": "", "died": False}


def record(name="run", **others):
    return json.dumps({"name": name} | others).encode()


@pytest.mark.parametrize(
    ("parcel", "sentence"),
    [
        ("x", "what is no result"),
        (parcel_of({"../../.bashrc": b"x"}), r"a file that no run leaves: '../../.bashrc'"),
        (parcel_of({"other.ipynb": b"x"}), "a file that no run leaves: 'other.ipynb'"),
        (parcel_of({"weights.npz": "text"}), "files that are no bytes"),
        (parcel_of([b"x"]), "files that are no bytes"),
        (parcel_of({"record.json": b"{"}), "a record that cannot be read"),
        (parcel_of({"record.json": b"[1]"}), "a record that is none"),
        (parcel_of({"record.json": b"[" * 10**6}), "a record that cannot be read"),
    ],
)
def test_what_no_run_leaves_is_refused_and_nothing_is_written(parcel, sentence, tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    with pytest.raises(ExecutionError, match=sentence):
        cluster.unpack(parcel, folder, "n.ipynb", folder / "n.running.ipynb")
    assert not [*folder.iterdir()]
    assert not [*tmp_path.glob(".bashrc")]


def test_too_much_is_refused_on_both_sides(tmp_path, monkeypatch):
    folder = tmp_path / "run"
    folder.mkdir()
    monkeypatch.setattr(cluster, "MOST_BYTES", 100)
    monkeypatch.setattr(remote, "MOST_BYTES", 100)
    with pytest.raises(ExecutionError, match="the worker sent"):
        cluster.unpack(parcel_of({"weights.npz": b"x" * 101}), folder, "n.ipynb", folder / "n.running.ipynb")
    assert not list(folder.iterdir())
    (folder / "weights.npz").write_bytes(b"x" * 101)
    (folder / "record.json").write_bytes(record())
    parcel = remote._packed(folder, "n.ipynb", "", False)
    assert list(parcel["files"]) == ["record.json"]
    assert parcel["error"].startswith("the run left ")


def test_what_comes_back_lies_where_it_belongs(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    files = {"record.json": record(), "weights.npz": b"w", "n.ipynb": b"n"}
    cluster.unpack(parcel_of(files), folder, "n.ipynb", folder / "n.running.ipynb")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        "record.json": record(),
        "weights.npz": b"w",
        "n.running.ipynb": b"n",
    }


def test_what_waits_on_a_worker_does_not_begin_once_its_sweep_was_interrupted():
    task = remote.Task("key", "interrupted", "n.ipynb", "", {}, 1, {}, False, ())
    remote.stop("interrupted", kill=False)
    assert remote.work(asdict(task)) == {"files": {}, "error": "the sweep was interrupted", "died": False}
