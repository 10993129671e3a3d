"""What is tried next: each configuration once, the same again for the same seed, and nothing that diverged."""

import itertools

import pytest

from lab.search.choosing import Chooser, Exhausted, Search
from lab.search.sweepfile import read
from lab.search.trials import Outcome, Trial

SPACE = read({"method": "random", "parameters": {"x": {"values": [1, 2, 3]}, "y": {"values": ["a", "b"]}}}).space
LINE = read({"method": "random", "parameters": {"x": {"min": 0.0, "max": 1.0}}}).space


def ask(search, times):
    return [search.ask() for _ in range(times)]


@pytest.mark.parametrize("method", ["random", "bayes", "grid"])
def test_ask_and_tell_go_through_a_space_once(method):
    search = Search(SPACE, method)
    seen = []
    for config in iter(lambda: next(ask_or_end(search), None), None):
        seen.append((config["x"], config["y"]))
        search.tell(config, float(config["x"]))
    assert sorted(seen) == sorted(itertools.product([1, 2, 3], "ab"))


def ask_or_end(search):
    try:
        yield search.ask()
    except Exhausted:
        return


@pytest.mark.parametrize("method", ["random", "bayes"])
def test_the_seed_decides_what_is_asked_for(method):
    assert ask(Search(LINE, method, seed=1), 5) == ask(Search(LINE, method, seed=1), 5)
    assert ask(Search(LINE, method, seed=1), 5) != ask(Search(LINE, method, seed=2), 5)


def outcomes(chooser, what):
    """Thirty trials over a line; those above a half have come to `what`, and others have a value that falls with x."""
    for k in range(30):
        x = k / 30
        end = dict(outcome=Outcome.FINISHED, value=0.5 - x / 10) if x < 0.5 else what
        yield Trial({"x": x}, str(x), chooser.distributions, number=k, **end)


@pytest.mark.parametrize(
    ("goal", "what"),
    [
        ("maximize", dict(outcome=Outcome.DIVERGED)),
        ("minimize", dict(outcome=Outcome.DIVERGED)),
        ("maximize", dict(outcome=Outcome.DIVERGED, value=0.9, epochs=9)),  # whatever it has reported before
    ],
)
def test_what_has_diverged_is_the_worst(goal, what):
    chosen = []
    for seed in range(20):
        chooser = Chooser(LINE, "bayes", goal, seed, lambda params: str(params["x"]))
        chosen.append(chooser.choose(list(outcomes(chooser, what)))["x"])
    assert sum(x < 0.5 for x in chosen) >= 18


def test_bayes_waits_for_what_it_must_see():
    chooser = Chooser(LINE, "bayes", "maximize", 0, lambda params: str(params["x"]), lag=2)
    first = Trial({"x": 0.1}, "0.1", chooser.distributions)
    assert chooser.choose([first]) is not None
    later = [Trial({"x": k / 10}, str(k / 10), chooser.distributions) for k in (2, 3)]
    assert chooser.choose([first, *later]) is None
