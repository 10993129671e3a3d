"""The measurements that a notebook shows: that they add up, leave nothing behind, and say what was found."""

import numpy as np
import pytest

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
    found = profiling.breakdown(net, TRAIN, rounds=2)
    assert list(found) == [*profiling.PARTS.values(), profiling.PRODUCTS, profiling.REST]
    assert all(value > 0 for name, value in found.items() if name != profiling.REST)
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
        ["W1", profiling.BARE, 1.0, 1.0, 2.0, 1.0],
        ["W1", "ours", 2.0, 1.9, 4.4, 2.0],
        ["W1", "theirs", 4.0, 4.0, 9.0, 4.0],
    ]
    assert profiling.ratios(table)["W1"].to_dict() == {profiling.BARE: 1.0, "ours": 2.0, "theirs": 4.0}
    assert profiling.faster(table, "ours", "theirs") == "W1 2.00"
    assert profiling.faster(table, "ours", "others") == ""
    assert profiling.fastest(table) == "ours, 2.00 times the bare products"
    assert "a machine, 2026-01-02, at commit abc, in 3 rounds, with numpy 2." in profiling.provenance(FOUND)


def test_nothing_measured_is_an_empty_table_and_says_what_to_do():
    assert profiling.ratios(profiling.measured({})).empty
    assert profiling.faster(profiling.measured({}), "ours", "theirs") == ""
    assert "make bench" in profiling.provenance({})
