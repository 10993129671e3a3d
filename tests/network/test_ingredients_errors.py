"""What a configuration asks for and no ingredient can do is refused in one sentence."""

import numpy as np
import pytest

from ingredients_kit import examples, network, one_sentence
from nn_core import NeuralNetwork

NAMES = {
    "schedule": ("cosin", "cosine", "constant, step, cosine, one_cycle"),
    "normalization": ("bach", "batch", "none, batch, layer"),
    "augmentation": ("miror", "mirror", "mirror, shift, erase"),
    "averaging": ("exponental", "exponential", "none, exponential, last"),
}


@pytest.mark.parametrize("key", NAMES)
def test_a_misspelt_name_is_refused_with_the_nearest_and_all_choices(key):
    wrong, near, choices = NAMES[key]
    with pytest.raises(ValueError, match=f"^{key}=") as error:
        network(**{key: wrong})
    for fragment in (repr(wrong), f"did you mean {near!r}", choices):
        assert fragment in one_sentence(error)


@pytest.mark.parametrize("value", [None, 3, True, np.tanh])
@pytest.mark.parametrize("key", NAMES)
def test_what_is_no_name_is_refused(key, value):
    with pytest.raises(ValueError, match=f"^{key}=") as error:
        network(**{key: value})
    assert NAMES[key][2] in one_sentence(error)


@pytest.mark.parametrize("value", [["mirror", "shft"], [None], ["mirror", ["shift"]]])
def test_a_wrong_name_within_a_list_of_augmentations_is_refused(value):
    with pytest.raises(ValueError, match=r"^augmentation=") as error:
        network(augmentation=value)
    assert "mirror, shift, erase" in one_sentence(error)


NUMBERS = {
    "warmup": [-0.1, float("inf")],
    "dropout": [-0.1, 1, 1.0, 1.5],
    "input_dropout": [-0.1, 1, 1.0, 1.5],
    "label_smoothing": [-0.1, 1.5],
    "mixup": [-0.1, float("inf")],
}


@pytest.mark.parametrize(
    ("key", "value"),
    [(key, value) for key in NUMBERS for value in (*NUMBERS[key], float("nan"), True, "0.1", None, [0.1])],
)
def test_a_number_out_of_range_is_refused(key, value):
    with pytest.raises(ValueError, match=f"^{key}=") as error:
        network(**{key: value})
    text = one_sentence(error)
    assert repr(value) in text
    assert "expect" in text


@pytest.mark.parametrize("key", ["dropout", "input_dropout"])
def test_a_rate_that_is_next_to_one_drops_not_everything(key):
    """Rounded to a multiple of 1/65536 it would be 1, and the scale 1/0."""
    with pytest.raises(ValueError, match=f"^{key}=") as error:
        network(**{key: 1 - 1e-9})
    one_sentence(error)


@pytest.mark.parametrize("key", NAMES)
def test_names_are_found_in_any_case(key):
    name = NAMES[key][1]
    nets = [network(**{key: f(name)}) for f in (str.lower, str.upper, str.title)]
    for net in nets:
        list(net.train(examples()))
    assert all(np.array_equal(net.predict_proba(examples()[0]), nets[0].predict_proba(examples()[0])) for net in nets)


def test_numpy_numbers_in_a_configuration_can_be_saved(tmp_path):
    config = {key: np.float64(0.25) for key in NUMBERS}
    network(**config, augmentation=("mirror", "shift")).save(tmp_path / "net.npz")
    loaded = NeuralNetwork.load(tmp_path / "net.npz").config
    assert {key: loaded[key] for key in config} == dict.fromkeys(config, 0.25)
    assert loaded["augmentation"] == ["mirror", "shift"]
