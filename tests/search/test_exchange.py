"""A kernel and its starter speak through files: whatever becomes of these, neither hangs, and a sentence says it."""

import os
import random
import threading
import time

import pytest

from common.files import NotWritten
from exchange import HARM, harm
from lab import tracking
from lab.search.executors import Judge, judged
from lab.tracking import run, verdicts

EPOCH = {"loss": 0.5, "accuracy": 0.8, "validationloss": 0.6, "validationaccuracy": 0.7, "seconds": 0.1}
ROUNDS = int(os.environ.get("FUZZ", "240")) // 10
LONG = 60  # seconds, on a busy machine: what takes longer hangs


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(verdicts, "PATIENCE", 0.1)
    monkeypatch.setattr(run, "commit", lambda: None)  # asks git
    monkeypatch.setattr(os, "fsync", lambda _: None)  # waits for a disk
    monkeypatch.setenv("WANDB_MODE", "disabled")


def train(folder, epochs=4, between=lambda: None):
    """What a kernel does; how it has ended."""
    try:
        with tracking.start({"max_epochs": epochs + 1}, folder) as under_way:
            for _ in range(epochs):
                under_way.log(EPOCH)
                if under_way.should_stop:
                    break
                between()
    except NotWritten as error:
        return str(error)
    return under_way.status


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_whatever_becomes_of_their_files_neither_hangs(seed, tmp_path, monkeypatch, capfd):
    chance, shown, heard = random.Random(seed), [], []
    monkeypatch.setattr(threading, "excepthook", lambda about: shown.append(about.exc_value))
    done, folder = [], tmp_path / "run"
    folder.mkdir()

    def stops(record):
        heard.append(len(record["history"]))
        time.sleep(chance.choice((0, 0, 0.15)))  # late
        return False

    def between():
        time.sleep(chance.uniform(0, 0.06))
        if not done and chance.random() < 0.5:
            done.append(harm(folder, chance))

    began = time.monotonic()
    with judged(folder, Judge(stops, (1, 2, 3))):
        outcome = train(folder, between=between)
    assert time.monotonic() - began < LONG, done
    assert not shown, done
    assert outcome == "finished" or "cannot be written" in outcome, done
    assert "Traceback" not in capfd.readouterr().err
    again = tracking.record_of(folder)  # readable, or none
    assert again == {} or again["status"] in ("finished", "failed", "running")


@pytest.mark.parametrize("how", HARM)
def test_a_verdict_that_was_damaged_is_followed_by_the_next_or_what_is_in_its_way_is_named(
    how, tmp_path, monkeypatch, capfd
):
    in_the_way = how in ("a folder", "a pipe", "endless")
    monkeypatch.setattr(verdicts, "PATIENCE", 2 if in_the_way else LONG)

    def stops(record):
        return len(record["history"]) == 3

    with judged(tmp_path, Judge(stops, (1, 3))):
        harmed = []

        def between():
            if not harmed:
                HARM[how](tmp_path / "verdict.json", random.Random(0))
                harmed.append(how)

        outcome = train(tmp_path, between=between)
    assert outcome == ("finished" if in_the_way else "stopped")
    said = [line for line in capfd.readouterr().err.splitlines() if "verdict.json cannot be written (it is " in line]
    assert len(said) == in_the_way
    assert [path.name for path in tmp_path.iterdir()] == ["record.json"]
