"""What a sweep's driver says to its runs: each seed beside the same seed of others; what has failed counts no more."""

import threading

import pytest

from common.files import write_json
from lab.search.executors import Judge, judged
from lab.search.stopping import Hyperband
from lab.search.verdicts import Verdicts
from lab.tracking.verdicts import verdicts

RULE = Hyperband((1,), eta=2)


def record(*values, status="running"):
    history = [{"epoch": k, "m": value} for k, value in enumerate(values, 1)]
    return {"history": history, "status": status}


@pytest.fixture(params=["maximize", "minimize"])
def driver(request):
    driver = Verdicts(RULE, "m", request.param)
    driver.sign = 1 if request.param == "maximize" else -1
    return driver


def test_a_run_is_judged_beside_the_same_seed_of_others(driver):
    driver.learn("a", [record(0.5 * driver.sign), record(0.9 * driver.sign)])
    driver.learn("b", [record(0.6 * driver.sign), record(0.8 * driver.sign)])
    assert not driver.stops("c", 0, record(0.7 * driver.sign))
    assert driver.stops("c", 1, record(0.7 * driver.sign))


def test_what_has_failed_counts_no_more(driver):
    driver.learn("a", [record(0.9 * driver.sign)])
    driver.learn("b", [record(0.8 * driver.sign)])
    assert driver.stops("c", 0, record(0.7 * driver.sign))
    for name in "ab":
        driver.forget(name)
    assert not driver.stops("c", 0, record(0.7 * driver.sign))


def test_an_epoch_without_a_number_is_the_worst(driver):
    driver.learn("a", [record(0.1 * driver.sign)])
    driver.learn("b", [record(0.2 * driver.sign)])
    for nothing in (None, "text"):
        assert driver.stops("c", 0, record(nothing))


def test_what_is_said_reaches_a_run_by_files_and_leaves_none(tmp_path, monkeypatch):
    """A run writes its record, waits at a band's epoch, and is told to stop."""
    heard = []
    facts = {"name": "r", "error": None, "config": {}, "seconds": 1.0, "fingerprint": None}

    def stops(record):
        heard.append(len(record["history"]))
        return len(record["history"]) == 2

    with judged(tmp_path, Judge(stops, (1, 2))):
        say, said = verdicts(tmp_path), []
        for epoch in (1, 2):
            history = [{"epoch": k, "loss": 0.5, "seconds": 0.1} for k in range(1, epoch + 1)]
            write_json(tmp_path / "record.json", facts | {"status": "running", "history": history})
            said.append(say(epoch))
    assert said == [False, True]
    assert heard == [1, 2]
    assert [path.name for path in tmp_path.iterdir()] == ["record.json"]
    assert not [thread for thread in threading.enumerate() if thread.name == "hearing"]
