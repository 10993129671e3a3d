"""What is said of a sweep while none of its runs ends."""

import sys

import pytest

from lab.search import progress


@pytest.fixture
def clock(monkeypatch):
    """A clock of seconds that a test sets."""
    seconds = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: seconds[0])
    return seconds


def test_in_a_log_there_is_a_line_now_and_then(clock, capsys):
    with progress.Progress("validationaccuracy", "maximize", 8, ()) as told:
        for clock[0] in (1.0, 299.0, 300.0, 301.0, 600.0):
            told.show(2)
    assert capsys.readouterr().out == "0 of 8 runs · 2 running · 0 failed\n" * 2


def test_in_a_terminal_a_bar_says_it(clock, capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with progress.Progress("validationaccuracy", "maximize", 8, ()) as told:
        clock[0] = 10**4
        told.show(2)
    said = capsys.readouterr()
    assert not said.out
    assert "2 running" in said.err
