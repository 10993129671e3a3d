"""Hints for names that somebody typed are right, or there is none."""

import importlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.names import file_name, first_unknown, nearest
from nn_core import NeuralNetwork

PARAMETERS = ["layers", "num_hidden_neurons", "learning_rate", "weight_decay", "loss", "batch_size"]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("layer", "layers"), ("learning_rte", "learning_rate"), ("batchsize", "batch_size"), (3, None), ("", None)],
)
def test_a_slip_is_recognised(typed, meant):
    assert nearest(typed, PARAMETERS) == meant


@pytest.mark.parametrize("typed", ["val_loss", "hidden_layers", "weight_init", "momentum"])
def test_another_word_is_no_slip(typed):
    assert nearest(typed, PARAMETERS) is None


@pytest.mark.parametrize("typed", ["adamax", "radam", "log_sigmoid", "prelu", "swiglu", "binary_crossentropy", "sgdr"])
def test_what_others_have_under_a_name_that_is_nearly_ours_gets_no_hint(typed):
    known = [*NeuralNetwork.OPTIMIZERS, *NeuralNetwork.ACTIVATIONS, *NeuralNetwork.LOSSES]
    assert nearest(typed, known) is None
    assert nearest(f"{known[0]}x", known) == known[0]


@pytest.mark.parametrize(("table", "module"), [("OPTIMIZERS", "optim"), ("ACTIVATIONS", "nn.modules.activation")])
def test_what_pytorch_has_and_we_have_not_gets_no_hint(table, module, torch):
    known = list(getattr(NeuralNetwork, table))
    theirs = {name.casefold() for name in importlib.import_module(f"torch.{module}").__all__ if name[0].isupper()}
    others = theirs - {name.replace("_", "") for name in known}
    assert len(others) > 9
    assert {name: nearest(name, known) for name in others} == dict.fromkeys(others)


def test_one_sentence_names_the_first_that_is_unknown():
    assert first_unknown(["layers", "loss"], PARAMETERS, "a parameter") is None
    assert first_unknown(["loss", "layer"], PARAMETERS, "a parameter") == (
        "'layer' is not a parameter: the nearest is 'layers'"
    )
    assert first_unknown(["x"], ["a", "b"], "a name") == "'x' is not a name: choose from a, b"


@pytest.mark.parametrize("name", ["random", "my sweep-2", "hl_2_hn_[64,32]", "été", "v1.2"])
def test_what_every_system_takes_for_a_file_keeps_its_name(name):
    assert file_name(name) == name


UNSAFE = ["../esc", "a/b", "", ".", "..", "x.", "x ", "CON", "nul.txt", "a\\b", "~", "x" * 300, "\ud800"]


@pytest.mark.parametrize("name", UNSAFE)
def test_anything_else_gets_a_safe_form(name):
    assert re.fullmatch(r"[A-Za-z0-9-]*~[0-9a-f]{12}", file_name(name))
    assert len(file_name(name).encode()) < 255


@given(st.text(), st.text())
def test_no_two_names_share_a_file(one, other):
    assert (file_name(one) == file_name(other)) == (one == other)
    assert file_name(file_name(one)) == file_name(one) or "~" in file_name(one)
