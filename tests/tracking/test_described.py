"""A damaged file is named, where it differs and how, and taken for none."""

import json

import pytest

import attacks
from attacks import EPOCH, TIMED
from lab import tracking
from lab.evaluation import profiling
from lab.tracking.described import Benchmark, Confirmed, Damaged, Provenance, Results, RunRecord, described, read_as

RECORD = {
    "name": "hl_3",
    "status": "finished",
    "error": None,
    "config": {"layers": 3, "num_hidden_neurons": [64, 32]},
    "history": [EPOCH, EPOCH | {"loss": None, "notes": ["of a notebook's own"]}],
    "seconds": 3,
    "fingerprint": "0123456789ab",
}
PROVENANCE = attacks.WHOLE[Provenance]
BENCHMARK = attacks.WHOLE[Benchmark] | {
    "measured": {
        "compare W1 1": {"epoch": {"gemm": TIMED, "numpy": TIMED}},
        "start numpy": {"seconds": [1.0], "memory": [300]},
        "pair numpy W1": [1.9, 1.8],
    },
}
CONFIRMED = {
    "sweeps": ["random", "bayes"],
    "best": 2,
    "seeds": 2,
    "metric": "loss",
    "goal": "minimize",
    "runs": [["a"]],
}
WHOLE = {
    Confirmed: CONFIRMED,
    RunRecord: RECORD,
    Provenance: PROVENANCE,
    Benchmark: BENCHMARK,
    Results: {"Test accuracy": {"value": "88 %"}},
}
DAMAGED = [
    (RunRecord, {"history": "epochs"}, "history: must be a valid list"),
    (RunRecord, {"history": [1]}, "history.0: must be a valid dictionary"),
    (RunRecord, {"history": None}, "history: must be a valid list"),
    (RunRecord, {"history": [EPOCH | {"epoch": 1.5}]}, "history.0.epoch: must be a valid integer"),
    (RunRecord, {"history": [EPOCH, EPOCH | {"accuracy": "0.8"}]}, "history.1.accuracy: must be a valid number"),
    (RunRecord, {"config": []}, "config: must be a valid dictionary"),
    (RunRecord, {"status": "done"}, "status: must be 'running', 'finished'"),
    (RunRecord, {"seconds": True}, "seconds: must be a valid number"),
    (RunRecord, {"seconds": float("inf")}, "seconds: must be a finite number"),
    *((RunRecord, {"name": name}, "name: must be the name of one folder") for name in ("../a", "", "..", "a\0", "/")),
    (RunRecord, {"noted": "backend"}, "noted: must be a valid list"),
    (Confirmed, {"runs": [["../a"]]}, "runs.0.0: must be the name of one folder"),
    (Confirmed, {"seeds": 1}, "seeds: must be greater than or equal to 2"),
    (Confirmed, {"sweeps": "random"}, "sweeps: must be a valid list"),
    (Provenance, {"date": "yesterday"}, "date: Invalid isoformat string"),
    (Provenance, {"versions": {"numpy": 2}}, "versions.numpy: must be a valid string"),
    (Provenance, {"seconds": "7"}, "seconds: must be a valid number"),
    (Benchmark, {"titles": {}}, "titles must name gemm"),
    (Benchmark, {"measured": {"compare": {}}}, "measured.compare"),
    (
        Benchmark,
        {"measured": {"compare W1 1": {"epoch": {"numpy": TIMED}}}},
        "as many rounds of each peer, and of gemm",
    ),
    (
        Benchmark,
        {"measured": {"compare W1 1": {"epoch": {"gemm": TIMED, "numpy": {"cpu": [1.0], "wall": [1.0]}}}}},
        "as many rounds of each peer",
    ),
    (Results, {"Test accuracy": "88 %"}, "Test accuracy: must be a valid dictionary"),
]
NO_JSON = ["", "{", "[1]", "null", "3", "\xff", "[" * 10_000, '{"a":' * 10_000, "1" + "0" * 5000]


@pytest.mark.parametrize("model", WHOLE)
def test_what_is_whole_is_read_as_it_is(model, tmp_path):
    (tmp_path / "a.json").write_text(json.dumps(WHOLE[model]))
    assert read_as(model, tmp_path / "a.json") == WHOLE[model]
    assert read_as(model, tmp_path / "missing.json") is None


@pytest.mark.parametrize(("model", "change", "said"), DAMAGED)
def test_what_is_damaged_is_named(model, change, said):
    with pytest.raises(Damaged) as raised:
        described(model, WHOLE[model] | change, "a.json")
    assert str(raised.value).startswith(f"a.json is no {model.what} (")
    assert said in str(raised.value)


@pytest.mark.parametrize(("model", "key"), [(m, key) for m in (RunRecord, Provenance, Benchmark) for key in WHOLE[m]])
def test_what_lacks_something_is_named(model, key):
    with pytest.raises(Damaged, match=f"{key}: Field required"):
        described(model, {name: value for name, value in WHOLE[model].items() if name != key}, "a.json")


@pytest.mark.parametrize("model", WHOLE)
@pytest.mark.parametrize("text", NO_JSON)
def test_what_is_no_object_is_named_in_a_sentence(model, text, tmp_path):
    (tmp_path / "a.json").write_text(text, encoding="latin-1")
    with pytest.raises(Damaged) as raised:
        read_as(model, tmp_path / "a.json")
    assert len(str(raised.value)) < 500


def test_what_cannot_be_read_is_named(tmp_path):
    with pytest.raises(Damaged, match=r"is no record of a run \(it is a folder\)"):
        read_as(RunRecord, tmp_path)


def test_a_damaged_record_is_said_once_and_counts_as_none(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "disabled")
    path = tmp_path / "record.json"
    path.write_text(json.dumps(RECORD | {"history": None}))
    assert tracking.record_of(tmp_path) == tracking.record_of(tmp_path) == {}
    assert capsys.readouterr().err == (
        f"{path} is no record of a run (history: must be a valid list): "
        "it is left aside, and its run counts as not yet made\n"
    )
    with tracking.start({"layers": 3}, tmp_path):
        pass
    assert tracking.record_of(tmp_path)["status"] == "finished"
    assert json.loads((tmp_path / "damaged_record.json").read_text())["history"] is None
    assert not list(tmp_path.glob("previous_*"))


def test_a_metric_that_is_no_number_is_none():
    for value in ("0.7", None, [1], True, {}):
        assert tracking.value_of(RECORD | {"history": [{"epoch": 1, "f1": value}]}, "f1") is None
    assert tracking.value_of(RECORD, "accuracy") == 0.8


def test_a_damaged_benchmark_counts_as_none(tmp_path, capsys):
    path = tmp_path / "benchmark.json"
    path.write_text(json.dumps(BENCHMARK))
    assert profiling.measured(profiling.kept(path))["median"].tolist() == [1.0, 1.0]
    path.write_text(json.dumps(BENCHMARK | {"titles": None}))
    assert profiling.kept(path) == {}
    assert "titles: must be a valid dictionary): `make bench` measures anew" in capsys.readouterr().err
