"""The endurance run of `tests/kit/endurance.py`, as short as it can be and still break what it breaks."""

import re

import pytest

import endurance


@pytest.mark.long
@pytest.mark.kernel
def test_a_driver_that_is_killed_and_kernels_that_are_lose_nothing(monkeypatch, capsys):
    monkeypatch.setattr(endurance, "FRACTION", 1 / 5)
    code = endurance.main(["--runs", "16", "--workers", "2", "--kills", "1", "--pause", "0.1", "--seed", "1"])
    said = capsys.readouterr().out
    assert code == 0, said
    assert re.search("^drivers killed +1$", said, re.MULTILINE)
    assert re.search("^kernels killed +[0-9]", said, re.MULTILINE)  # how many, the machine's pace decides


@pytest.mark.long
@pytest.mark.kernel
def test_a_cluster_gets_on_after_each_fault_and_loses_nothing(capfd):
    code = endurance.main(["--cluster", "--faults", "3", "--workers", "1", "--pause", "0.1", "--seed", "7"])
    said = capfd.readouterr().out
    assert code == 0, said
    for fault in ("scheduler killed", "worker swallowed", "driver killed"):
        assert re.search(f"^{fault} +1$", said, re.MULTILINE)


@pytest.mark.long
@pytest.mark.kernel
def test_whatever_becomes_of_a_runs_files_it_fails_alone_and_is_made_up_for(capfd):
    code = endurance.main(["--files", "--runs", "6", "--workers", "2", "--pause", "0.8", "--seed", "2"])
    said = capfd.readouterr().out
    assert code == 0, said
    assert len(re.findall("^(record|verdict|stopping)\\.json|^folder|^kernel standing", said, re.MULTILINE)) > 2
