"""Hints for names that somebody typed are right, or there is none."""

import pytest

from common.names import first_unknown, nearest

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


def test_one_sentence_names_the_first_that_is_unknown():
    assert first_unknown(["layers", "loss"], PARAMETERS, "a parameter") is None
    assert first_unknown(["loss", "layer"], PARAMETERS, "a parameter") == (
        "'layer' is not a parameter: the nearest is 'layers'"
    )
    assert first_unknown(["x"], ["a", "b"], "a name") == "'x' is not a name: choose from a, b"
