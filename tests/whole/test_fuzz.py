"""Readers of files are fed damage that hypothesis thinks of: it ends in the error made for it, or in something usable.

`make fuzz` feeds them more than the suite has time for: FUZZ is how many examples each gets.
"""

import copy
import json
import os
import tempfile
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from attacks import LONGEST, WHOLE, paths, use_record
from common.files import read_json, write_json
from common.words import masked
from lab import tracking
from lab.execution.notebook import NotebookError, parameters
from lab.search.sweepfile import SweepError, read
from lab.tracking.described import Damaged, RunRecord, read_as
from nn_core import NeuralNetwork

ODD_NUMBERS = st.sampled_from([0, -1, 2**53 + 1, 10**400, 1e308, -1e308, 1e-320, float("nan"), float("inf"), 0.1])
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | ODD_NUMBERS | st.text(max_size=20)
ANYTHING = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
)
SWEEP = {
    "name": "t",
    "method": "random",
    "metric": {"name": "validationaccuracy", "goal": "maximize", "target": 0.9},
    "run_cap": 3,
    "seeds": 2,
    "early_terminate": {"type": "hyperband", "s": 2, "eta": 3, "max_iter": 27, "strict": True},
    "parameters": {
        "layers": {"values": [1, 2]},
        "batch_size": {"values": [16, 32], "probabilities": [0.5, 0.5]},
        "learning_rate": {"distribution": "log_uniform_values", "min": 1e-5, "max": 0.1},
        "weight_decay": {"distribution": "q_uniform", "min": 0.0, "max": 1.0, "q": 0.1},
        "beta": {"distribution": "normal", "mu": 0.5, "sigma": 0.1},
    },
}
fuzzed = settings(
    max_examples=int(os.environ.get("FUZZ", "60")),
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@st.composite
def damaged(draw, whole):
    """A copy in which one to three values are others, or are missing."""
    content = copy.deepcopy(whole)
    for _ in range(draw(st.integers(1, 3))):
        *way, last = draw(st.sampled_from(list(paths(content)) or [()]) if content else st.just(("a",)))
        inner = content
        for key in way:
            inner = inner[key]
        if draw(st.booleans()):
            inner[last] = draw(ANYTHING)
        elif isinstance(inner, dict):
            inner.pop(last, None)
    return content


def sentence(error: Exception) -> None:
    assert 0 < len(str(error)) < LONGEST
    assert "\n" not in str(error)


@pytest.fixture(scope="module")
def folder():
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


@pytest.mark.parametrize("model", WHOLE)
def test_described_files(model, folder):
    @seed(0)
    @fuzzed
    @given(damaged(WHOLE[model]) | ANYTHING)
    def feed(content):
        (folder / "a.json").write_text(json.dumps(content))
        try:
            use_record(folder / "a.json") if model is RunRecord else read_as(model, folder / "a.json")
        except Damaged as error:
            sentence(error)

    feed()


def test_any_bytes_as_a_record(folder):
    @seed(0)
    @fuzzed
    @given(st.binary(max_size=200))
    def feed(content):
        (folder / "record.json").write_bytes(content)
        record = tracking.record_of(folder)
        assert record == {} or record["name"]
        assert isinstance(read_json(folder / "record.json"), dict)

    feed()


def test_sweep_files(folder):
    @seed(0)
    @fuzzed
    @given(damaged(SWEEP), st.sampled_from(["json", "yaml"]))
    def feed(content, kind):
        path = folder / f"a.{kind}"
        path.write_text(
            json.dumps(content) if kind == "json" else yaml.safe_dump(content, allow_unicode=True),
            "utf-8",
            "surrogatepass",
        )
        try:
            assert read(path).size >= 1
        except SweepError as error:
            sentence(error)

    feed()


def test_any_text_as_a_sweep_file(folder):
    @seed(0)
    @fuzzed
    @given(st.text(st.sampled_from("abc01:-[]{}&*!?|>'\"%@,. \n\t#"), max_size=80))
    def feed(text):
        (folder / "a.yaml").write_text(text)
        try:
            read(folder / "a.yaml")
        except SweepError as error:
            sentence(error)

    feed()


def test_notebooks(folder):
    cell = {
        "cell_type": "code",
        "id": "a",
        "metadata": {"tags": ["parameters"]},
        "outputs": [],
        "execution_count": None,
    }
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    cells = [cell | {"source": "folder: str = ''\nlayers: int = 3  # hidden"}]
    whole = {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}

    @seed(0)
    @fuzzed
    @given(damaged(whole))
    def feed(content):
        (folder / "a.ipynb").write_text(json.dumps(content))
        try:
            parameters(folder / "a.ipynb")
        except NotebookError as error:
            sentence(error)

    feed()


def test_networks(folder):
    NeuralNetwork(layers=1, num_hidden_neurons=4, inputs=5).save(folder / "a.npz")
    whole = (folder / "a.npz").read_bytes()

    @seed(0)
    @fuzzed
    @given(st.integers(0, len(whole) - 1), st.binary(min_size=1, max_size=8))
    def feed(at, content):
        (folder / "b.npz").write_bytes(whole[:at] + content + whole[at + len(content) :])
        try:
            assert NeuralNetwork.load(folder / "b.npz").weights[1].shape == (4, 5)
        except ValueError as error:
            sentence(error)

    feed()


def test_what_is_written_is_read_back(folder):
    @seed(0)
    @fuzzed
    @given(st.dictionaries(st.text(), st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text()))
    def feed(content):
        write_json(folder / "c.json", content)
        assert read_json(folder / "c.json") == content

    feed()


def test_no_password_is_left_in_an_address():
    secret = st.text(st.characters(codec="ascii", exclude_categories=["C", "Z"]), min_size=6)

    @seed(0)
    @fuzzed
    @given(secret, st.sampled_from(["postgresql://me:{}@host/db", "tls://{}@host", "see http://a:{}@b:80/c?d=e and f"]))
    def feed(password, address):
        text = address.format(password)
        assert masked(text) == address.replace("me:{}", "***").replace("a:{}", "***").replace("{}", "***")

    feed()
