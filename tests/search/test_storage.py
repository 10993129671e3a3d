"""One contract for every storage of trials, and what a file of its own owes besides."""

import sqlite3
import threading

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution

from lab.search.reading import SweepError
from lab.search.storage import PATIENCE, File, Memory, Storage
from lab.search.trials import ENDED, RESULTS, TRANSITIONS, Ending, Outcome, Trial

STATE = {"study": "study", "fingerprint": "f", "metric": "m", "goal": "maximize", "total": 3}
SPACE = {"rate": FloatDistribution(0, 1), "name": CategoricalDistribution(["a", "b"])}


def trial(rate=0.5, **others):
    return Trial({"rate": rate, "name": "a"}, f"rate_{rate}", SPACE, ("one", "two"), **others)


@pytest.fixture(params=[Memory, File])
def storage(request, tmp_path) -> Storage:
    storage = request.param(tmp_path) if request.param is File else request.param()
    storage.open("study", "maximize", {"lag": 4})
    return storage


# --- the contract ---


def test_what_is_run_now_is_kept(storage):
    with pytest.raises(SweepError, match="run it first"):
        storage.state()
    storage.keep_state(STATE)
    assert storage.state() == STATE
    storage.keep_state(STATE | {"total": 4})
    assert storage.state()["total"] == 4


def test_the_first_facts_of_a_study_stay(storage):
    assert storage.open("study", "maximize", {"lag": 8, "more": 1}) == {"lag": 4, "more": 1}
    assert storage.open("another", "minimize", {"lag": 8}) == {"lag": 8}


def test_trials_come_back_in_order_with_all_that_was_known_of_them(storage):
    added = [storage.add("study", trial(rate)) for rate in (0.3, 0.1, 0.2)]
    assert [one.number for one in added] == [0, 1, 2]
    assert storage.trials("study") == added
    assert all(one.outcome == Outcome.RUNNING and one.runs == ("one", "two") for one in added)
    assert storage.open("another", "minimize", {}) is not None
    assert storage.trials("another") == []


@pytest.mark.parametrize(
    "end",
    [
        Ending(Outcome.FINISHED, 0.75),
        Ending(Outcome.STOPPED, 0.25, 3),
        Ending(Outcome.STOPPED, None, 0),
        Ending(Outcome.DIVERGED),
        Ending(Outcome.FAILED, reason="ValueError: x"),
        Ending(Outcome.INTERRUPTED),
        Ending(Outcome.LOST),
    ],
)
def test_a_trial_ends_once_and_stays_as_it_ended(end, storage):
    storage.add("study", trial())
    told = storage.tell("study", 0, end)
    assert (told.outcome, told.value, told.epochs) == end[:3]
    assert told.has_result == (end.outcome in RESULTS)
    for outcome in Outcome:
        with pytest.raises(ValueError, match=f"trial 0 is {end.outcome} and cannot become {outcome}"):
            storage.tell("study", 0, Ending(outcome, 0.5))
    assert storage.trials("study") == [told]


def test_a_study_that_is_not_there_is_refused(storage):
    with pytest.raises(SweepError):
        storage.trials("none")


def test_what_was_handed_out_changes_nothing(storage):
    storage.add("study", trial())
    storage.trials("study").clear()
    assert len(storage.trials("study")) == 1


# --- the table of transitions ---


def test_only_what_runs_becomes_something_else_and_what_has_no_result_runs_again():
    assert set(TRANSITIONS) == set(Outcome)
    assert TRANSITIONS[Outcome.RUNNING].becomes == ENDED == set(Outcome) - {Outcome.RUNNING}
    assert not any(TRANSITIONS[outcome].becomes for outcome in ENDED)
    assert {Outcome.FINISHED, Outcome.DIVERGED, Outcome.STOPPED} == RESULTS


# --- the file ---


def test_a_file_is_read_by_another_process_as_it_was_written(tmp_path):
    first = File(tmp_path)
    first.open("study", "maximize", {"lag": 4})
    ends = [
        Ending(Outcome.FINISHED, 0.75),
        Ending(Outcome.STOPPED, 0.25, 3),
        Ending(Outcome.DIVERGED),
        Ending(Outcome.FAILED, reason="x"),
    ]
    for k, end in enumerate(ends):
        first.add("study", trial(k / 10))
        first.tell("study", k, end)
    first.add("study", trial(0.9))
    again = File(tmp_path)
    assert again.open("study", "maximize", {}) == {"lag": 4}
    assert again.trials("study") == first.trials("study")


def test_optuna_sees_no_value_of_what_has_diverged(tmp_path):
    storage = File(tmp_path)
    storage.open("study", "minimize", {})
    for k, end in enumerate([Ending(Outcome.DIVERGED), Ending(Outcome.FINISHED, 0.5), Ending(Outcome.STOPPED, 0.1, 2)]):
        storage.add("study", trial(k / 10))
        storage.tell("study", k, end)
    study = optuna.load_study(study_name="study", storage=f"sqlite:///{tmp_path / 'study.db'}")
    assert [one.value for one in study.trials] == [None, 0.5, 0.1]
    assert study.best_value == 0.5


def test_a_lock_that_is_held_for_a_moment_is_waited_for(tmp_path):
    storage = File(tmp_path)
    storage.open("study", "maximize", {})
    asked = threading.Event()
    holder = sqlite3.connect(tmp_path / "study.db", check_same_thread=False)
    holder.execute("BEGIN EXCLUSIVE")

    def release():
        asked.wait()
        holder.rollback()

    thread = threading.Thread(target=release)
    thread.start()
    asked.set()
    storage.add("study", trial())
    thread.join()
    holder.close()
    assert len(File(tmp_path).trials("study")) == 1


def test_a_lock_that_stays_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr("lab.search.storage.PATIENCE", 0.1)
    assert PATIENCE > 5
    File(tmp_path).open("study", "maximize", {})
    holder = sqlite3.connect(tmp_path / "study.db")
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(SweepError, match=r"study\.db is locked by another program \(.*locked.*\): close what else"):
        File(tmp_path).trials("study")
    holder.close()
