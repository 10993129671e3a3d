"""Runs on record: names, records that no kill can tear, the ends a run can come to, and W&B's modes."""

import json
import os
import re
import subprocess
import sys
import threading
import time
import typing
from pathlib import Path
from types import SimpleNamespace

import pytest

from lab import tracking
from lab.tracking import client, verdicts

EPOCH = {"epoch": 1, "loss": 0.5, "accuracy": 0.8, "validationloss": 0.6, "validationaccuracy": 0.7, "seconds": 1.5}
CONFIG = {"layers": 3, "num_hidden_neurons": 128, "activation": "tanh", "learning_rate": 1e-4, "max_epochs": 2}


@pytest.fixture(autouse=True)
def environment(tmp_path, monkeypatch):
    """Runs below tmp_path, W&B off, none of this machine's W&B settings."""
    for name in [name for name in os.environ if name.startswith("WANDB")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("WANDB_MODE", "disabled")
    monkeypatch.setenv("FASHION_RUNS", str(tmp_path / "runs"))


def record(folder):
    """record.json, read strictly: NaN and Infinity are no JSON."""

    def refuse(constant):
        raise AssertionError(f"{constant} in a record")

    return json.loads((Path(folder) / "record.json").read_text(), parse_constant=refuse)


# --- names ---


def test_a_name_is_readable_and_in_the_order_of_the_vocabulary():
    config = {"seed": 7, "optimizer": "ADAM", "beta1": 0.95, "learning_rate": 1e-4, "layers": 3, "batch_size": 32}
    assert tracking.run_name(config) == "hl_3_bs_32_op_adam_lr_0.0001_se_7_beta1_0.95"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"optimizer": "ADAM"}, {"optimizer": "adam"}),
        ({"weight_decay": 0}, {"weight_decay": 0.0}),
        ({"layers": 3, "seed": 1}, {"seed": 1, "layers": 3}),
        ({"layers": 3}, {"layers": 3, "momentum": None, "limit": None, "validation_fraction": 0.1}),
        ({"layers": 3}, {"layers": 3, "folder": "anywhere", "draw": False}),
    ],
)
def test_equal_configurations_have_one_name(one, other):
    assert tracking.run_name(one) == tracking.run_name(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"learning_rate": 0.1}, {"learning_rate": 0.1 + 2**-56}),
        ({"learning_rate": 1e-4}, {"learning_rate": 1e-5}),
        ({"seed": 2**60}, {"seed": 2**60 + 1}),
        ({"seed": 10**400}, {"seed": 10**400 + 1}),
        ({"activation": "a/b"}, {"activation": "a-b"}),
        ({"beta1": 0.9}, {"beta2": 0.9}),
        ({"limit": 100}, {"limit": None}),
        ({"validation_fraction": 0}, {"validation_fraction": 0.1}),
    ],
)
def test_different_configurations_have_different_names(one, other):
    assert tracking.run_name(one) != tracking.run_name(other)


def test_a_name_is_safe_as_a_file_name():
    name = tracking.run_name({"activation": 'a/b\\c:d*e?f"g<h>i|j k', "learning_rate": 1e-07, "verbose": True})
    assert re.fullmatch(r"[\w.%+-]+", name)


# --- the record ---


def test_a_finished_run_leaves_its_whole_story(tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("FASHION_FINGERPRINT", "abc")
    with tracking.start(CONFIG, tmp_path / "run") as run:
        assert record(tmp_path / "run")["status"] == run.status == "running"
        run.log(EPOCH)
        assert record(tmp_path / "run")["history"] == [EPOCH]
        run.log(EPOCH | {"epoch": 2})
    kept = record(tmp_path / "run")
    assert kept["status"] == run.status == "finished"
    assert kept["config"] == CONFIG
    assert kept["history"] == run.history == [EPOCH, EPOCH | {"epoch": 2}]
    assert kept["name"] == tracking.run_name(CONFIG)
    assert kept["error"] is None
    assert kept["fingerprint"] == "abc"
    assert kept["threads"]["OMP_NUM_THREADS"] == "1"
    assert kept["versions"].keys() == {"python", "numpy", "platform"}
    assert kept["seconds"] >= 0
    assert kept["started"] <= kept["finished"]
    assert kept["finished"].endswith("+00:00")


def test_without_a_folder_a_run_is_kept_among_the_single_ones(tmp_path):
    with tracking.start(CONFIG) as run:
        pass
    assert run.folder == (tmp_path / "runs" / "single" / tracking.run_name(CONFIG)).resolve()


def test_what_is_not_finite_becomes_null(tmp_path):
    with tracking.start(CONFIG, tmp_path) as run:
        run.log(EPOCH | {"loss": float("nan"), "validationloss": float("inf")})
    epoch = record(tmp_path)["history"][0]
    assert epoch["loss"] is None
    assert epoch["validationloss"] is None


def test_a_run_that_diverges_says_so_and_goes_on(tmp_path, capsys):
    with tracking.start(CONFIG, tmp_path) as run:
        raise FloatingPointError("the loss is not finite in epoch 2")
    assert run.status == record(tmp_path)["status"] == "diverged"
    assert "the loss is not finite in epoch 2" in capsys.readouterr().out


@pytest.mark.parametrize(("error", "status"), [(ValueError("no"), "failed"), (KeyboardInterrupt(), "interrupted")])
def test_any_other_end_is_recorded_and_goes_on(tmp_path, error, status):
    def train():
        with tracking.start(CONFIG, tmp_path) as run:
            run.log(EPOCH)
            raise error

    with pytest.raises(type(error)):
        train()
    kept = record(tmp_path)
    assert kept["status"] == status
    assert kept["error"] == f"{type(error).__name__}: {error}"
    assert kept["history"] == [EPOCH]


def test_each_epoch_prints_a_line(tmp_path, capsys):
    with tracking.start(CONFIG, tmp_path) as run:
        run.log(EPOCH)
    assert re.fullmatch(
        r"epoch 1/2 · loss 0.5000 · validation accuracy 0.7000 · 1.5 s · \d.\d s left\n", capsys.readouterr().out
    )


def test_a_notebook_of_ones_own_logs_what_it_likes_and_is_counted_and_timed(tmp_path, capsys):
    with tracking.start({}, tmp_path) as run:
        for f1 in (0.25, 0.5):
            run.log({"val_f1": f1, "note": "text"})
    assert re.fullmatch(r"(epoch [12] · val_f1 0\.[25]\d00 · 0\.\d s\n){2}", capsys.readouterr().out)
    history = record(tmp_path)["history"]
    assert [epoch["epoch"] for epoch in history] == [1, 2]
    assert all(0 <= epoch["seconds"] < 10 for epoch in history)


def test_the_time_left_of_a_training_that_goes_on_is_that_of_the_epochs_left(tmp_path, capsys, monkeypatch):
    now = 100
    monkeypatch.setattr(time, "monotonic", lambda: now)
    run = tracking.Run(CONFIG | {"max_epochs": 10}, tmp_path)
    now = 120  # after a slow start
    run.log(EPOCH | {"epoch": 7})
    assert capsys.readouterr().out == "epoch 7/10 · loss 0.5000 · validation accuracy 0.7000 · 1.5 s · 4.5 s left\n"
    now = 122  # with half a second for a drawing
    run.log(EPOCH | {"epoch": 8})
    assert capsys.readouterr().out == "epoch 8/10 · loss 0.5000 · validation accuracy 0.7000 · 1.5 s · 4.0 s left\n"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0 s"),
        (9.94, "9.9 s"),
        (9.97, "10 s"),
        (99.4, "99 s"),
        (99.6, "1 min 40 s"),
        (119.7, "2 min 0 s"),
        (3599.4, "59 min 59 s"),
        (3599.9, "1 h 0 min"),
        (7199, "2 h 0 min"),
        (90_000, "25 h 0 min"),
    ],
)
def test_durations_are_rounded_before_they_are_divided(seconds, text):
    assert tracking.duration(seconds) == text


def test_a_result_stays_until_the_next_run_has_its_own(tmp_path):
    def save(text):
        return SimpleNamespace(save=lambda path: Path(path).write_text(text))

    def previous():
        return (tmp_path / "previous_weights.npz").read_text(), (tmp_path / "previous_record.json").read_text()

    def fail():
        with tracking.start(CONFIG, tmp_path) as run:
            assert not (tmp_path / "weights.npz").exists()
            run.save(save("half-trained"))
            raise ValueError("no")

    with tracking.start(CONFIG, tmp_path) as run:
        assert run.save(save("first")) == tmp_path.resolve() / "weights.npz"
    first = "first", (tmp_path / "record.json").read_text()
    for _ in range(2):
        with pytest.raises(ValueError, match="no"):
            fail()
        assert previous() == first
    with tracking.start(CONFIG, tmp_path) as run:
        run.save(save("second"))
    assert previous() == first
    second = "second", (tmp_path / "record.json").read_text()
    with tracking.start(CONFIG, tmp_path):
        assert previous() == second


def test_a_run_clears_what_a_kill_has_left_of_an_earlier_one(tmp_path):
    for name in ("record.json", "weights.npz"):
        (tmp_path / f"{name}.999999999.01234567.tmp").touch()
    with tracking.start(CONFIG, tmp_path):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["record.json"]


@pytest.mark.parametrize(
    ("asked", "said", "name"),
    [
        ({"x": 1}, {"x": 3.0}, "x"),
        ({"layers": 3, "x": "a"}, {"layers": 3, "x": "b"}, "x"),
        ({"settings": {"beta": 1}}, {"settings": {"beta": 2, "gamma": 1}}, "settings.beta"),
        ({"x": None}, {"x": 1}, "x"),
        ({"x": [1, 2]}, {"x": [1, 3]}, "x"),
        ({"x": True}, {"x": 1}, "x"),
        ({"optimizer": "ADAM", "weight_decay": 0}, {"optimizer": "adam", "weight_decay": 0.0}, None),
        ({"momentum": None, "x": [1, 2]}, {"x": [1, 2], "y": 1}, None),
    ],
)
def test_a_record_that_says_otherwise_than_what_was_asked_is_named(asked, said, name):
    sentence = tracking.contradiction(asked, {"config": said})
    assert sentence is None if name is None else f"asked for {name} = " in sentence


# --- early stopping ---


def test_should_stop_once_the_accuracy_has_not_risen_for_patience_epochs(tmp_path):
    with tracking.start(CONFIG, tmp_path, patience=2) as run:
        stops = []
        for accuracy in (0.5, 0.7, 0.7, 0.6):
            run.log(EPOCH | {"validationaccuracy": accuracy})
            stops.append(run.should_stop)
    assert stops == [False, False, False, True]


def test_without_patience_nothing_stops(tmp_path):
    with tracking.start(CONFIG, tmp_path) as run:
        for _ in range(5):
            run.log(EPOCH)
            assert not run.should_stop


def test_patience_needs_validation(tmp_path):
    with (
        pytest.raises(ValueError, match="patience watches validationaccuracy"),
        tracking.start(CONFIG, tmp_path, patience=2) as run,
    ):
        run.log({"epoch": 1, "loss": 0.5, "accuracy": 0.8, "seconds": 1.0})


def test_where_nobody_asked_a_verdict_stops_nothing(tmp_path):
    with tracking.start(CONFIG | {"max_epochs": 9}, tmp_path) as run:
        verdicts.tell(tmp_path, 1, stop=True)
        run.log(EPOCH)
        assert not run.should_stop


def test_at_a_band_a_run_waits_for_the_verdict_on_its_epoch(tmp_path):
    """The starter sees the epoch on record, and answers; an earlier verdict is not taken for it."""
    verdicts.ask(tmp_path, [2])
    watched = []

    def answer():
        while not watched:
            history = record(tmp_path).get("history", []) if (tmp_path / "record.json").exists() else []
            watched.extend(history[1:2])
        verdicts.tell(tmp_path, 2, stop=True)

    starter = threading.Thread(target=answer)
    starter.start()
    with tracking.start(CONFIG | {"max_epochs": 9}, tmp_path) as run:
        run.log(EPOCH)
        assert not run.should_stop
        verdicts.tell(tmp_path, 1, stop=False)
        run.log(EPOCH | {"epoch": 2})
        assert run.should_stop
    starter.join()
    assert watched == [EPOCH | {"epoch": 2}]
    assert record(tmp_path)["status"] == "stopped"


def test_epochs_are_counted_from_one_whatever_a_notebook_calls_them(tmp_path):
    verdicts.ask(tmp_path, [2])
    with tracking.start({}, tmp_path) as run:
        for steps, stops in ((0, False), (500, True)):
            verdicts.tell(tmp_path, len(run.history) + 1, stop=stops)
            run.log({"epoch": steps, "f1": 0.5})
            assert run.should_stop is stops


def test_between_bands_a_verdict_counts_once_it_is_there(tmp_path):
    verdicts.ask(tmp_path, [5])
    with tracking.start(CONFIG | {"max_epochs": 9}, tmp_path) as run:
        run.log(EPOCH)
        assert not run.should_stop
        verdicts.tell(tmp_path, 1, stop=True)  # late
        run.log(EPOCH | {"epoch": 2})
        assert run.should_stop


def test_without_a_verdict_a_run_says_so_and_goes_on(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(verdicts, "PATIENCE", 0.05)
    verdicts.ask(tmp_path, [1])
    verdicts.tell(tmp_path, 1, stop=True)  # on an earlier attempt at this run
    with tracking.start(CONFIG | {"max_epochs": 9}, tmp_path) as run:
        run.log(EPOCH)
        assert not run.should_stop
    assert "No verdict on epoch 1 came within 0.05 s: this run goes on." in capsys.readouterr().out
    assert record(tmp_path)["status"] == "finished"


def test_the_last_epoch_ends_by_itself(tmp_path):
    verdicts.ask(tmp_path, [2])
    with tracking.start(CONFIG, tmp_path) as run:  # of two epochs
        run.log(EPOCH)
        verdicts.tell(tmp_path, 2, stop=True)
        run.log(EPOCH | {"epoch": 2})
    assert record(tmp_path)["status"] == "finished"


def test_a_run_that_is_not_asked_any_more_forgets_what_it_was_asked(tmp_path):
    verdicts.ask(tmp_path, [1])
    verdicts.ask(tmp_path, [])
    verdicts.tell(tmp_path, 1, stop=True)
    with tracking.start(CONFIG | {"max_epochs": 9}, tmp_path) as run:
        run.log(EPOCH)
        assert not run.should_stop


# --- W&B ---


class FakeWandb:
    """Stands in for the wandb module: notes how runs are begun and ended."""

    Error = type("Error", (Exception,), {})

    def __init__(self, key, reachable=True):
        self.key, self.reachable = key, reachable
        self.begun, self.logged, self.exit_code, self.summary = [], [], None, {}

    Settings = staticmethod(lambda **settings: settings)

    def setup(self, settings):
        pass

    def login(self, prompt, verify):
        assert not prompt
        assert not verify
        return self.key

    def init(self, **options):
        self.begun.append(options)
        if options["mode"] == "online" and not self.reachable:
            raise self.Error("Timed out\nConsider this and that")
        return self

    def log(self, epoch):
        self.logged.append(epoch)

    def finish(self, exit_code):
        self.exit_code = exit_code


def run_with(wandb, monkeypatch, folder, mode=None, error=None):
    monkeypatch.setitem(sys.modules, "wandb", wandb)
    monkeypatch.delenv("WANDB_MODE")
    if mode is not None:
        monkeypatch.setenv("WANDB_MODE", mode)
    with tracking.start(CONFIG, folder) as run:
        run.log(EPOCH)
        if error:
            raise error


@pytest.mark.parametrize(
    ("key", "mode", "expected"),
    [
        (True, None, "online"),
        (False, None, "offline"),
        (False, "", "offline"),
        (True, "offline", "offline"),
        (False, "online", "online"),
    ],
)
def test_wandb_is_online_with_a_key_and_offline_without_unless_told(key, mode, expected, tmp_path, monkeypatch):
    wandb = FakeWandb(key)
    run_with(wandb, monkeypatch, tmp_path / "sweep" / "run", mode)
    (options,) = wandb.begun
    assert options["mode"] == expected
    assert options["project"] == "fashion-mnist-numpy"
    assert options["group"] == "sweep"
    assert options["dir"] == tmp_path / "sweep" / "run"
    assert options["config"] == CONFIG
    limits = {"init_timeout": 10, "finish_timeout": 60, "finish_timeout_raises": True}
    assert options["settings"] == {"silent": True, "console": "off"} | limits
    assert wandb.logged == [EPOCH]
    assert wandb.summary["status"] == "finished"
    assert wandb.exit_code == 0


def test_an_unreachable_server_means_offline_and_a_sentence(tmp_path, monkeypatch, capsys):
    wandb = FakeWandb(key=True, reachable=False)
    run_with(wandb, monkeypatch, tmp_path)
    assert [options["mode"] for options in wandb.begun] == ["online", "offline"]
    (sentence,) = (line for line in capsys.readouterr().out.splitlines() if "W&B" in line)
    assert "Timed out" in sentence
    assert "wandb sync" in sentence
    assert record(tmp_path)["status"] == "finished"


def test_below_an_agent_the_run_keeps_its_project_and_sweep(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_RUN_ID", "abc")
    wandb = FakeWandb(key=True)
    run_with(wandb, monkeypatch, tmp_path)
    assert not wandb.begun[0].keys() & {"project", "group", "id"}


@pytest.mark.parametrize(("error", "code"), [(FloatingPointError("nan"), 0), (ValueError("no"), 1)])
def test_wandb_hears_how_a_run_ends(error, code, tmp_path, monkeypatch):
    wandb = FakeWandb(key=False)
    if code:
        with pytest.raises(ValueError, match="no"):
            run_with(wandb, monkeypatch, tmp_path, error=error)
    else:
        run_with(wandb, monkeypatch, tmp_path, error=error)
    assert wandb.exit_code == code
    assert wandb.summary["status"] == record(tmp_path)["status"]


@pytest.mark.kernel
@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"WANDB_API_KEY": "garbage"}, "WANDB_API_KEY invalid: API key must have 40+ characters, has 7: set it right"),
        ({"WANDB_BASE_URL": "garbage"}, "W&B refuses its setting base_url: Input should be a valid URL"),
    ],
)
def test_a_key_or_an_address_that_can_be_none_is_one_sentence(variables, said):
    code = "from lab.tracking import client\ntry: client.reachable_mode()\nexcept client.WandbError as e: print(e)"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("WANDB")}
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, env=environment | variables, capture_output=True, text=True)
    assert result.stdout.startswith(said)
    assert result.stdout.endswith("or set WANDB_MODE=offline\n")
    assert result.stdout.count("\n") == 1
    assert not result.stderr


@pytest.mark.parametrize("mode", [None, "online"])
def test_before_many_runs_the_server_is_asked_once(mode, monkeypatch, capsys):
    def fail(timeout):
        raise FakeWandb.Error("Failed to verify http://me:mine@127.0.0.1:9\nand so on")

    wandb = FakeWandb(key=True)
    monkeypatch.setitem(sys.modules, "wandb", wandb)
    monkeypatch.delenv("WANDB_MODE") if mode is None else monkeypatch.setenv("WANDB_MODE", mode)
    wandb.Api = lambda timeout: None
    assert client.reachable_mode() == "online"
    wandb.Api = fail
    assert client.reachable_mode() == "offline"
    assert capsys.readouterr().out == (
        "W&B keeps these runs offline (Failed to verify http://***@127.0.0.1:9); "
        "`python sweep.py upload` sends them later\n"
    )
    wandb.key = False
    assert client.reachable_mode() == "offline"
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert client.reachable_mode() == "disabled"


def test_what_wandb_says_is_a_short_line_that_steers_no_terminal():
    said = client.said(FakeWandb.Error("\x1b[2J\x1b]0;mine\x07" + "x" * 10**6 + "\r\nand so on"))
    assert said.startswith("[2J]0;minexxx")
    assert len(said) < 250
    assert said.isprintable()


def test_the_arguments_of_a_process_are_not_kept_by_wandb(tmp_path, monkeypatch):
    wandb = FakeWandb(key=False)
    monkeypatch.setattr(sys, "argv", ["sweep.py", "--storage", "postgresql://me:mine@host/db"])
    monkeypatch.setattr(wandb, "init", lambda **_: wandb.begun.append(list(sys.argv)) or wandb)
    run_with(wandb, monkeypatch, tmp_path)
    assert wandb.begun == [["sweep.py"]]
    assert len(sys.argv) == 3


def test_an_error_is_recorded_without_what_is_secret(tmp_path, monkeypatch):
    monkeypatch.setenv("SOME_TOKEN", "0123456789")
    with pytest.raises(ValueError, match="0123456789"), tracking.start(CONFIG, tmp_path):
        raise ValueError("postgresql://me:mine@host/db answers 0123456789")
    assert record(tmp_path)["error"] == "ValueError: postgresql://***@host/db answers ***"


@pytest.mark.parametrize("broken", ["setup", "init", "log", "finish"])
def test_what_breaks_in_wandb_breaks_no_run(broken, tmp_path, monkeypatch, capsys):
    def fail(*_, **__):
        raise RuntimeError("broken pipe\nand what led to it")

    wandb = FakeWandb(key=True)
    setattr(wandb, broken, fail)
    run_with(wandb, monkeypatch, tmp_path)
    (sentence,) = (line for line in capsys.readouterr().out.splitlines() if "W&B" in line)
    cure = ": set it right, or set WANDB_MODE=offline" if broken == "setup" else ""
    assert sentence == f"W&B keeps no more of this run (broken pipe{cure}); record.json keeps it all."
    assert record(tmp_path)["status"] == "finished"
    assert record(tmp_path)["history"] == [EPOCH]


def test_a_mode_that_wandb_does_not_have_is_refused_before_anything(tmp_path, monkeypatch):
    wandb = FakeWandb(key=True)
    with pytest.raises(ValueError, match="WANDB_MODE is 'of', which is no mode of W&B's: choose from online, offline"):
        run_with(wandb, monkeypatch, tmp_path / "run", "of")
    assert not wandb.begun
    assert not (tmp_path / "run").exists()


def test_the_modes_are_those_of_wandb():
    wandb = pytest.importorskip("wandb")
    assert set(tracking.MODES) == set(typing.get_args(wandb.Settings.model_fields["mode"].annotation))


USE = """
import sys
from lab import tracking
from lab.tracking import verdicts
with tracking.start({"layers": 1}, sys.argv[1]) as run:
    run.log({"epoch": 1, "loss": 0.5, "seconds": 0.1})
print("wandb" in sys.modules)
"""


def use(folder, **variables):
    """Keep a run in a process of its own, without a terminal; return its output, errors among it."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("WANDB")} | variables
    home = {name: str(folder.parent) for name in ("HOME", "USERPROFILE")}  # where no key is kept
    result = subprocess.run(
        [sys.executable, "-c", USE, str(folder)],
        env=environment | home,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,  # W&B would go on trying for longer
    )
    assert result.returncode == 0, result.stdout
    assert record(folder)["status"] == "finished"
    return result.stdout


@pytest.mark.kernel
def test_disabled_means_that_wandb_is_not_even_imported(tmp_path):
    output = use(tmp_path / "run", WANDB_MODE="disabled")
    assert output.splitlines()[-1] == "False"
    assert not (tmp_path / "run" / "wandb").exists()


@pytest.mark.kernel
@pytest.mark.parametrize("variables", [{}, {"WANDB_MODE": ""}])
def test_without_a_key_the_real_wandb_is_offline_and_silent(tmp_path, variables):
    output = use(tmp_path / "run", **variables)
    assert len(output.splitlines()) == 2, output
    assert len(list((tmp_path / "run" / "wandb").glob("offline-run-*/*.wandb"))) == 1


@pytest.mark.long
@pytest.mark.kernel
def test_with_a_key_and_no_server_the_real_wandb_goes_offline(tmp_path):
    output = use(tmp_path / "run", WANDB_API_KEY="a" * 40, WANDB_BASE_URL="http://127.0.0.1:9")
    assert len(list((tmp_path / "run" / "wandb").glob("offline-run-*/*.wandb"))) == 1
    assert sum("W&B" in line for line in output.splitlines()) == 1
    assert len(output.splitlines()) == 3, output


def test_installed_packages_are_read_once_for_all_runs():
    """W&B's client reads the metadata of all of them, a tenth of a second of each run."""
    working_set = client.imported().util.working_set
    assert working_set() is working_set()
    assert {"numpy", "wandb"} <= {package.key for package in working_set()}
