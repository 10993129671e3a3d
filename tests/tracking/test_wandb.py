"""W&B end to end: the real client, and a stand-in for its server; sweeps, agents, uploads, and servers that fail."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import yaml

from common.files import read_json, write_json
from lab import tracking
from lab.search import keeping, sweep
from lab.search.command import main as command_line
from lab.tracking import upload
from sweep_kit import TRAIN, wait_for, write_notebook
from wandb_server import KEY, WandbServer

pytestmark = pytest.mark.service

LONG = 150  # seconds after which a sub-process counts as hung
TINY = {"limit": 1000, "max_epochs": 2, "num_hidden_neurons": 8, "layers": 1}


def variables(folder, url, **more):
    """The environment of a W&B client that knows this server alone, and keeps everything in this folder."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WANDB")}
    home = {name: str(folder / "home") for name in ("HOME", "USERPROFILE")}
    places = {f"WANDB_{name}": str(folder / "wandb") for name in ("DIR", "CONFIG_DIR", "CACHE_DIR", "DATA_DIR")}
    for path in (*home.values(), *places.values(), folder / "tmp"):
        Path(path).mkdir(parents=True, exist_ok=True)
    places |= {"TMPDIR": str(folder / "tmp"), "FASHION_RUNS": str(folder / "runs")}
    path = os.pathsep.join([str(Path(sys.executable).parent), kept["PATH"]])
    client = {"WANDB_BASE_URL": url, "WANDB_API_KEY": KEY, "WANDB_ERROR_REPORTING": "false"}
    return kept | home | places | client | {"PATH": path} | more


def replace_environment(monkeypatch, environment):
    for name in [name for name in os.environ if name not in environment]:
        monkeypatch.delenv(name)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def server():
    server = WandbServer()
    yield server
    server.die()


def assert_whole(run, record):
    """What W&B has of a run is what the project's own record of it says."""
    assert len(run["history"]) == len(record["history"])
    for row, epoch in zip(run["history"], record["history"], strict=True):
        assert {key: row[key] for key in epoch} == epoch
    assert run["summary"].items() >= (record["history"][-1] | {"status": record["status"]}).items()
    config = {key: value for key, value in record["config"].items() if value is not None}
    assert run["config"].items() >= config.items()
    assert run["name"] == record["name"]
    assert run["project"] == "fashion-mnist-numpy"
    assert (run["state"], run["exit_code"]) == ("finished", 0)


# --- W&B's sweeps and agents ---

# W&B's command, whose agent looks every half a second whether a run has ended, instead of every five.
IMPATIENT = "from wandb import wandb_agent\nwandb_agent.Agent.POLL_INTERVAL = 0.5\nfrom wandb.cli import cli\ncli.cli()"


@pytest.mark.long
def test_two_agents_of_wandb_run_a_sweep_file_of_ours(tmp_path, server):
    """One test, since it takes its time."""
    file, plan = tmp_path / "sweep.yaml", yaml.safe_load((tracking.REPOSITORY / "sweeps" / "random.yaml").read_text())
    parameters = {"activation": {"values": ["missing", "relu", "tanh"]}, "learning_rate": {"value": 1e-5}}
    plan |= {"run_cap": 3, "parameters": parameters | {key: {"value": value} for key, value in TINY.items()}}
    file.write_text(yaml.safe_dump(plan))
    options = {"cwd": tracking.REPOSITORY, "env": variables(tmp_path, server.url), "stdin": subprocess.DEVNULL}
    wandb = [sys.executable, "-c", IMPATIENT]
    made = subprocess.run([*wandb, "sweep", file], **options, timeout=LONG, capture_output=True, text=True)
    command = made.stderr.rpartition("wandb ")[2].split()
    (sweep_id,) = server.sweeps
    assert command == ["agent", f"me/fashion-mnist-numpy/{sweep_id}"]
    assert server.sweeps[sweep_id]["config"] == plan
    processes = []
    try:
        for name in ("one", "two"):
            with (tmp_path / f"{name}.log").open("w") as log:
                processes.append(subprocess.Popen([*wandb, *command], **options, stdout=log, stderr=log))
        codes = [process.wait(timeout=LONG) for process in processes]
    finally:
        for process in processes:
            process.kill()

    said = "\n".join((tmp_path / f"{name}.log").read_text() for name in ("one", "two"))
    runs, agents = server.sweeps[sweep_id]["runs"], server.sweeps[sweep_id]["agents"]
    assert codes == [0, 0], said
    # Each had its share, and went on until there was nothing left: that of the refused run too.
    assert list(agents.values()) == ["dismissed", "dismissed"]
    assert {run["agent"] for run in runs.values()} == agents.keys()
    assert [run["config"]["activation"] for run in runs.values()] == ["missing", "relu", "tanh"]
    folder = tmp_path / "runs" / sweep_id
    records = {path.parent.parent.name: json.loads(path.read_text()) for path in folder.glob("*/*/record.json")}
    refused, *others = runs  # before anything was run, by name
    assert refused not in records | server.runs
    assert "'missing' is not a known activation" in said
    assert records.keys() == server.runs.keys() == set(others), said
    for id in others:
        assert records[id]["config"].items() >= runs[id]["config"].items()
        assert len(records[id]["history"]) == TINY["max_epochs"]
        assert_whole(server.runs[id], records[id])
        assert server.runs[id]["sweep"] == sweep_id
    assert not list(folder.glob("*/*/wandb/offline-run-*"))


# --- runs made offline, uploaded later ---


@pytest.fixture(scope="module")
def made_offline(tmp_path_factory):
    """A sweep of two runs that were made without a server."""
    folder = tmp_path_factory.mktemp("offline")
    values = {"learning_rate": {"values": [0.001, 0.01]}, **{key: {"value": value} for key, value in TINY.items()}}
    with pytest.MonkeyPatch.context() as monkeypatch:
        replace_environment(monkeypatch, variables(folder, "http://127.0.0.1:9", WANDB_MODE="offline"))
        sweep.run({"name": "trial", "method": "grid", "parameters": values}, root=folder)
    return folder / "trial"


@pytest.fixture
def offline(made_offline, tmp_path, monkeypatch, server):
    """The folders of both runs, for this test alone; what is set for runs is no matter to an upload."""
    replace_environment(monkeypatch, variables(tmp_path, server.url, WANDB_MODE="offline", WANDB_SILENT="true"))
    shutil.copytree(made_offline, tmp_path / "trial", symlinks=True)
    return sorted(path.parent for path in (tmp_path / "trial").glob("*/record.json"))


def log_of(folder):
    (log,) = folder.glob("wandb/offline-run-*/*.wandb")
    return log


def assert_arrived(server, folders):
    assert len(server.runs) == len(folders)
    runs = {run["name"]: run for run in server.runs.values()}
    for record in (json.loads((folder / "record.json").read_text()) for folder in folders):
        assert_whole(runs[record["name"]], record)
        assert runs[record["name"]]["group"] == "trial"
        assert runs[record["name"]]["config"]["backend"]  # which is known only once the run is under way


def assert_refused(folders, match):
    with pytest.raises(ConnectionError, match=match) as caught:
        upload.upload(folders)
    assert len(str(caught.value).splitlines()) == 1
    assert "nothing is lost, and the same command again goes on" in str(caught.value)


def test_what_was_made_offline_is_uploaded_whole_and_once(offline, server, capsys):
    assert upload.upload(offline) == 2
    assert capsys.readouterr().out == "2 of 2 runs uploaded\n"
    assert_arrived(server, offline)
    assert all(log_of(folder).exists() for folder in offline)
    before = len(server.requests)
    assert upload.upload(offline) == 0
    assert len(server.requests) == before
    assert "nothing to upload" in capsys.readouterr().out


def test_what_is_uploaded_is_deleted_if_asked_for_and_nothing_else(offline, server):
    assert upload.upload(offline[:1]) == 1
    server.refused = {"file_stream": 400}
    with pytest.raises(ConnectionError):
        upload.upload(offline, delete=True)
    assert not list(offline[0].glob("wandb/offline-run-*"))
    assert {"record.json", "weights.npz", "03_train.ipynb"} <= {path.name for path in offline[0].iterdir()}
    assert log_of(offline[1]).exists()
    server.refused = {}
    assert upload.upload(offline, delete=True) == 1
    assert not list(offline[1].glob("wandb/offline-run-*"))
    assert_arrived(server, offline)


def test_a_run_under_way_is_left_alone(offline, server, capsys):
    record = json.loads((offline[0] / "record.json").read_text())
    write_json(offline[0] / "record.json", record | {"status": "running"})
    assert upload.upload(offline, delete=True) == 1
    assert log_of(offline[0]).exists()
    assert_arrived(server, offline[1:])
    assert f"{offline[0].name} is left alone" in capsys.readouterr().out


@pytest.mark.parametrize("size", [7, 100])
def test_what_a_kill_left_of_a_run_holds_up_no_other(size, offline, server):
    """Of all the files that `wandb sync` is given it sends none if it cannot read one."""
    os.truncate(log_of(offline[0]), size)
    if size == 7:  # as long as the file's header: there is nothing to upload
        assert upload.upload(offline) == 1
    else:
        assert_refused(offline, f"1 of 2 runs uploaded .*{log_of(offline[0]).parent.name}")
    assert_arrived(server, offline[1:])


@pytest.mark.long
def test_a_failure_is_a_sentence_and_loses_nothing(offline, server, monkeypatch, capsys):
    """Failures one after the other, and then none."""
    kept = {path: path.read_bytes() for path in map(log_of, offline)}

    def fails(sentence):
        assert_refused(offline, f"0 of 2 runs uploaded .*{sentence}")
        assert {path: path.read_bytes() for path in map(log_of, offline)} == kept
        assert not list(offline[0].parent.glob("*/wandb/*/*.synced"))

    with monkeypatch.context() as now:
        now.delenv("WANDB_API_KEY")
        fails("no key .*`wandb login`")
    with monkeypatch.context() as now:
        now.setenv("WANDB_API_KEY", "f" * 40)
        fails("refused: check the network, and the key with `wandb login --relogin`")
    with monkeypatch.context() as now:
        now.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
        now.setenv("WANDB_HTTP_TIMEOUT", "2")
        fails("127.0.0.1:9.*: check the network, and the key")
    server.refused = {"UpsertBucket": 403}  # no permission to write
    fails("refused")
    server.refused = {"file_stream": 400}  # no data accepted: the client takes the run for uploaded all the same
    fails("Fatal error while uploading")
    with monkeypatch.context() as now:
        now.setattr(upload, "STALL", 4)
        server.refused = {"file_stream": 503}  # not now: the client tries again for a week
        fails("none arrived in 4 s: check the network")

    server.refused = {}
    monkeypatch.setattr(upload, "BATCH", 1)
    capsys.readouterr()
    assert upload.upload(offline) == 2
    assert capsys.readouterr().out == "1 of 2 runs uploaded\n2 of 2 runs uploaded\n"
    assert_arrived(server, offline)


# --- a server that fails a run under way ---

DIRECT = """
import sys
import fashion_mnist
from lab import tracking
from lab.tracking import client
from nn_core import NeuralNetwork

client.FINISH = 3
images, labels = fashion_mnist.load().train
train, validation = fashion_mnist.split(fashion_mnist.Split(images[:1000], labels[:1000]), seed=0, fraction=0.1)
config = dict(layers=1, num_hidden_neurons=8, max_epochs=4)
with tracking.start(config, sys.argv[1]) as run:
    net = NeuralNetwork(**config)
    run.note(backend=net.backend)
    for epoch in net.train(train, validation):
        run.log(epoch)
        if epoch["epoch"] == 2:
            sys.stdin.readline()  # until the test has had its way with the server
"""


@pytest.mark.parametrize("failure", ["refuses the key", "dies half-way"])
def test_a_failing_server_costs_a_run_nothing_but_its_upload(failure, tmp_path, server, monkeypatch):
    folder = tmp_path / "trial" / "run"
    if failure == "refuses the key":
        server.key = "f" * 40
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    command = [sys.executable, "-c", DIRECT, str(folder)]
    process = subprocess.Popen(command, env=variables(tmp_path, server.url), **pipes)
    watch = threading.Timer(LONG, process.kill)
    watch.start()
    try:
        while len(read_json(folder / "record.json").get("history", [])) < 2:
            assert process.poll() is None, process.stdout.read()
            time.sleep(0.05)
        assert len(server.runs) == (failure == "dies half-way")
        server.die()
        output, _ = process.communicate("\n")
    finally:
        watch.cancel()
        process.kill()
    assert process.returncode == 0, output  # without a limit, W&B would go on for a week, and be killed here
    record = json.loads((folder / "record.json").read_text())
    assert record["status"] == "finished"
    assert [epoch["epoch"] for epoch in record["history"]] == [1, 2, 3, 4]
    (sentence,) = (line for line in output.splitlines() if "W&B keeps" in line or "W&B has" in line)
    assert f"`wandb sync {folder / 'wandb'}` uploads it later" in sentence
    another = WandbServer()
    replace_environment(monkeypatch, variables(tmp_path, another.url))
    assert upload.upload([folder]) == 1
    another.die()
    assert_arrived(another, [folder])


def processes(folder):
    """Those that keep their runs in this folder."""
    psutil, found = pytest.importorskip("psutil"), []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get("FASHION_RUNS") == str(folder / "runs"):
                found.append(process.cmdline())
    return found


@pytest.mark.long
def test_nothing_of_w_and_b_s_stays_whose_server_swallows_the_start_of_a_run(tmp_path, server):
    """Its service ends with the run; what watches the machine for it notices that some seconds later."""
    server.swallowed = {"UpsertBucket"}
    folder = tmp_path / "trial" / "run"
    options = {"env": variables(tmp_path, server.url), "stdin": subprocess.DEVNULL, "capture_output": True}
    done = subprocess.run([sys.executable, "-c", DIRECT, str(folder)], timeout=LONG, text=True, **options)
    assert done.returncode == 0, done.stderr
    assert "W&B keeps this run offline (Timed out" in done.stdout
    assert read_json(folder / "record.json")["status"] == "finished"
    assert "UpsertBucket" not in server.requests
    wait_for(lambda: not processes(tmp_path))


GATED = f"""{TRAIN.partition("journal")[0]}
from lab.tracking import client

client.FINISH = 3
with tracking.start(config, folder) as run:
    for epoch in range(1, max_epochs + 1):
        run.log(dict(epoch=epoch, loss=0.5, validationaccuracy=layers / 10, seconds=0.1))
        while not os.path.exists(os.environ["GATE"]):  # the test has its way with the server first
            time.sleep(0.02)
"""


def write_training(path, source):
    """A training notebook of which this is the cell that trains."""
    write_notebook(path)
    content = json.loads(path.read_text())
    content["cells"][1]["source"] = source
    path.write_text(json.dumps(content))


def test_a_server_that_dies_in_the_middle_of_a_sweep_costs_an_upload(tmp_path, server, monkeypatch, capsys):
    """Each run arrives whole and once: the first two were under way, of the others W&B has heard nothing."""
    environment = variables(tmp_path, server.url, GATE=str(tmp_path / "gate"))
    plan, notebook, folder = tmp_path / "plan.json", tmp_path / "gated.ipynb", tmp_path / "runs" / "trial"
    parameters = {"layers": {"values": [2, 3, 4, 5, 6]}, "seed": {"value": 0}}
    plan.write_text(json.dumps({"name": "trial", "method": "grid", "parameters": parameters}))
    write_training(notebook, GATED)
    command = [sys.executable, "sweep.py", "run", str(plan), "--notebook", str(notebook)]
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    process = subprocess.Popen(command, env=environment, cwd=tracking.REPOSITORY, **pipes)
    watch = threading.Timer(LONG, process.kill)
    watch.start()
    try:
        while sum(bool(read_json(path).get("history")) for path in folder.glob("*/record.json")) < 2:
            assert process.poll() is None, process.stdout.read()
            time.sleep(0.05)
        server.die()
        (tmp_path / "gate").touch()
        output, _ = process.communicate()
    finally:
        watch.cancel()
        process.kill()
    assert process.returncode == 0, output
    assert "5 of 5 runs (5 finished)" in output
    assert output.splitlines().count(keeping.FALLEN_BEHIND) == output.count("W&B") == 1
    assert [run["state"] for run in server.runs.values()] == ["running"] * 2
    another = WandbServer()
    replace_environment(monkeypatch, variables(tmp_path, another.url))
    assert command_line(["upload", "trial"]) == 0
    another.die()
    assert capsys.readouterr().out == "5 of 5 runs uploaded\n"
    assert len(another.runs) == 5
    assert server.runs.keys() < another.runs.keys()
    runs = {run["name"]: run for run in another.runs.values()}
    for path in folder.glob("*/record.json"):
        assert_whole(runs[path.parent.name], json.loads(path.read_text()))


def test_what_sends_runs_ends_with_whoever_has_started_it(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        environment = variables(tmp_path, f"http://127.0.0.1:{silent.getsockname()[1]}")
        command = [sys.executable, "-m", "lab.tracking.sending", str(tmp_path / "run.wandb")]
        streams = {"stdin": subprocess.PIPE, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        with subprocess.Popen(command, env=environment, cwd=tracking.REPOSITORY, **streams) as process:
            silent.accept()[0].close()  # it has begun
            process.stdin.close()  # as the system does when its starter dies
            assert process.wait(timeout=30) == 1


# --- secrets ---

SECRET = "mark3d-s3cret"
ADDRESS = f"postgresql://me:{SECRET}@127.0.0.1:9/db"
FAILING = """
import os
from lab import tracking
with tracking.start(dict(layers=layers, seed=seed), folder) as run:
    run.log(dict(epoch=1, loss=0.5, validationaccuracy=0.5, seconds=0.1))
    if layers == 3:
        raise RuntimeError("no answer from " + "@".join(["postgresql://me:" + os.environ["DATABASE_PASSWORD"], "host"]))
"""


def commands_of(process):
    """The command lines of a process and all below it, as long as it runs."""
    psutil, commands = pytest.importorskip("psutil"), set()
    while process.poll() is None:
        with contextlib.suppress(psutil.Error):
            for one in [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]:
                with contextlib.suppress(psutil.Error):
                    commands.add(" ".join(one.cmdline()))
        time.sleep(0.1)
    return commands


@pytest.mark.parametrize("mode", ["offline", "online"])
def test_nothing_secret_is_written_said_sent_or_in_the_list_of_processes(mode, tmp_path, server):
    values = {"DATABASE_PASSWORD": SECRET, "DATABASE_URL": ADDRESS, "AWS_SECRET_ACCESS_KEY": SECRET}
    environment = variables(tmp_path, server.url, WANDB_MODE=mode, **values)
    plan, notebook = tmp_path / "plan.json", tmp_path / "failing.ipynb"
    parameters = {"layers": {"values": [2, 3]}, "seed": {"value": 0}}
    plan.write_text(json.dumps({"name": "trial", "method": "grid", "parameters": parameters}))
    write_training(notebook, FAILING)
    command = [sys.executable, "sweep.py", "run", str(plan), "--workers", "1", "--notebook", str(notebook)]
    with (tmp_path / "said").open("wb") as said:
        streams = {"stdin": subprocess.DEVNULL, "stdout": said, "stderr": said}
        process = subprocess.Popen(command, env=environment, cwd=tracking.REPOSITORY, **streams)
        commands = commands_of(process)
    assert process.returncode == 0, (tmp_path / "said").read_text()
    assert "no answer from postgresql://***@host" in (tmp_path / "said").read_text()
    for secret in (SECRET, KEY):
        assert secret not in " ".join(commands)
        assert secret not in json.dumps(server.runs)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.suffix == ".wandb" for path in files)
    assert sum(path.name == "failing.ipynb" and "no answer" in path.read_text() for path in files) >= 2
    assert not [path for path in files for secret in (SECRET, KEY) if secret.encode() in path.read_bytes()]
