"""The measurements that a notebook shows: that they add up, leave nothing behind, and say what was found."""

import json
from pathlib import Path

import numpy as np
import pytest

import peers
from lab.evaluation import profiling
from nn_core import NeuralNetwork

TRAIN = np.zeros((40, 784), np.uint8), np.zeros(40, int)
FOUND = {
    "titles": {"gemm": profiling.BARE, "numpy": "ours", "torch": "theirs"},
    "machine": "a machine",
    "versions": {"numpy": "2"},
    "date": "2026-01-02T03:04:05",
    "commit": "abc",
    "rounds": 3,
    "measured": {
        "compare W1 1": {
            "epoch": {
                "gemm": {"cpu": [1.0, 2.0, 1.0]},
                "numpy": {"cpu": [2.0, 4.4, 1.9]},
                "torch": {"cpu": [4.0, 9.0, 4.0]},
            }
        },
        "compare W1 2": {"epoch": {}},
        "start numpy": {},
    },
}


@pytest.mark.parametrize("backend", ["numpy", "auto"])
def test_a_breakdown_has_every_part_and_leaves_the_network_as_it_was(backend):
    net = NeuralNetwork(num_hidden_neurons=16, weight_decay=0.01, backend=backend)
    before = net.compiled, dict(vars(net._backend))
    parts = profiling.breakdown(net, TRAIN, rounds=2)
    assert list(parts) == [*profiling.PARTS.values(), profiling.PRODUCTS, profiling.REST]
    assert all(value > 0 for name, value in parts.items() if name != profiling.REST)
    assert (net.compiled, vars(net._backend)) == before
    assert net.epoch == 3


def test_contenders_take_turns_and_their_first_call_does_not_count():
    calls = []
    seconds = profiling.in_turn({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, 2)
    assert calls == ["a", "b"] * 3
    assert {name: len(some) for name, some in seconds.items()} == {"a": 2, "b": 2}


def test_what_was_measured_is_a_table_of_medians_and_ratios():
    table = profiling.measured(FOUND)
    assert table.values.tolist() == [
        ["W1", profiling.BARE, 1.0, (1.0, 1.0, 1.0), 1.0, 1.0, 1.0],
        ["W1", "ours", 2.0, (2.0, 2.2, 1.9), 2.0, 1.9, 2.2],
        ["W1", "theirs", 4.0, (4.0, 4.5, 4.0), 4.0, 4.0, 4.5],
    ]
    assert profiling.ratios(table)["W1"].to_dict() == {profiling.BARE: 1.0, "ours": 2.0, "theirs": 4.0}
    assert profiling.faster(table, "ours", "theirs") == "W1 2.05 (2.00 to 2.11)"
    assert profiling.faster(table, "ours", "others") == ""
    assert profiling.fastest(table) == "ours, 2.00 times the bare products"
    assert "a machine, 2026-01-02, at commit abc, in 3 rounds, with numpy 2." in profiling.provenance(FOUND)
    assert "in 3 rounds of 13,500 images, with" in profiling.provenance(FOUND | {"limit": 13_500})


def test_peers_of_which_now_one_and_now_the_other_is_ahead_are_level():
    """Though the first has the smaller median, and though the seconds of the second round would decide."""
    seconds = {"gemm": [1.0, 2.0, 1.0], "ours": [2.0, 4.0, 2.1], "near": [2.1, 4.2, 2.0], "far": [2.2, 4.4, 2.2]}
    seconds["symbols"] = [0.5, 1.0, 0.5]
    answers = {peer: {"cpu": some} for peer, some in seconds.items()}
    titles = {peer: peer for peer in seconds} | {"gemm": profiling.BARE, "symbols": profiling.SYMBOLS}
    table = profiling.measured({"titles": titles, "measured": {"compare W1 1": {"epoch": answers}}})
    assert profiling.fastest(table) == "ours, 2.00 times the bare products, level with near"
    assert profiling.faster(table, "ours", "near") == "W1 1.05 (0.95 to 1.05, a tie)"
    assert profiling.faster(table, "ours", "far") == "W1 1.10 (1.05 to 1.10)"


def test_with_two_threads_the_clock_counts_and_with_one_the_processor():
    def timed(cpu, wall):
        return {"cpu": [cpu] * 2, "wall": [wall] * 2}

    titles = {"gemm": profiling.BARE, "a": "ours", "b": "theirs"}
    rounds = {"gemm": timed(1.0, 1.0), "a": timed(2.0, 4.0), "b": timed(3.0, 3.0)}
    measured = {f"compare {w} {threads}": {"epoch": rounds} for w, threads in (("W1", 1), ("W2", 1), ("W1", 2))}
    found = {"titles": titles, "measured": measured}
    once = "ours, 2.00 times the bare products"
    assert profiling.leaders(found) == f"W1 {once}; W2 {once}"
    assert profiling.leaders(found, threads=2) == "W1 theirs, 3.00 times the bare products"
    assert profiling.leaders({}, threads=2) == ""


def test_results_of_several_machines_stand_side_by_side():
    other = FOUND | {"machine": "another", "instructions": "AVX2"}
    beside = profiling.side_by_side([FOUND, other, {}, FOUND])
    assert beside.columns.tolist() == [("a machine", "W1"), ("AVX2", "W1"), (f"a machine, {FOUND['date']}", "W1")]
    assert beside.loc["theirs"].tolist() == [4.0] * 3
    assert profiling.side_by_side([]).empty


def test_a_peer_may_leave_a_workload_out():
    one, both = ({"epoch": {name: {"cpu": [2.0]} for name in names}} for names in (["gemm"], ["gemm", "ours"]))
    titles = {"gemm": profiling.BARE, "ours": "ours"}
    table = profiling.measured({"titles": titles, "measured": {"compare W1 1": both, "compare W5 1": one}})
    assert profiling.faster(table, "ours", profiling.BARE) == "W1 1.00 (1.00 to 1.00, a tie)"
    assert profiling.ratios(table)["W5"].isna().to_dict() == {profiling.BARE: False, "ours": True}


def test_results_are_read_where_there_are_any(tmp_path):
    missing, empty, whole = (tmp_path / name for name in ("missing.json", "empty.json", "whole.json"))
    description = {name: value for name, value in FOUND.items() if name != "measured"}
    empty.write_text(json.dumps(description | {"measured": {}}))
    whole.write_text(json.dumps(description | {"measured": {"pair numpy W1": [1.5]}}))
    assert [result["measured"] for result in profiling.results(missing, empty, whole)] == [{"pair numpy W1": [1.5]}]


def test_results_that_ship_are_whole():
    """Those that chapter 6 shows where nothing was measured."""
    paths = sorted(Path(peers.__file__).parent.glob("results/*.json"))
    assert paths
    for measurements in map(profiling.kept, paths):
        table = profiling.measured(measurements)
        assert {"W1", "W2", "W3", "W4"} <= set(table.workload) <= set(profiling.WORKLOADS)
        assert {peers.PEERS[name].title for name in ("numpy", "numba", "jax", "torch-fused")} <= set(table.peer)


def test_nothing_measured_is_an_empty_table_and_says_what_to_do():
    assert profiling.ratios(profiling.measured({})).empty
    assert profiling.faster(profiling.measured({}), "ours", "theirs") == ""
    assert "make bench" in profiling.provenance({})


def test_rivals_are_compared_round_by_round_as_the_sentences_do():
    """By the quotient of medians, 4 / 2, it would be 2.00; of the rounds' quotients the median is 2.05."""
    table = profiling.rivals(profiling.measured(FOUND), ["ours"])
    assert table[["workload", "peer"]].to_numpy().tolist() == [["W1", "theirs"]]
    assert table[["median", "least", "most"]].to_numpy()[0] == pytest.approx((4.5 / 2.2, 2.0, 4.0 / 1.9))


def test_few_rounds_part_equal_peers_by_luck():
    assert profiling.by_luck(5) == "Of two that are equal, one is ahead in each of 5 rounds in 6 of 100 such pairs."
