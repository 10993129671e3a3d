"""The ingredients of training: what each draws and from where, what it does by hand, keeping, both backends.

Files of their own have gradients, PyTorch, schedules, augmentation, averaging and errors.
"""

import copy
import inspect
import itertools
import json

import numpy as np
import pytest
from scipy import stats

from ingredients.augmentation import AUGMENTATIONS
from ingredients.averaging import AVERAGINGS, Average
from ingredients.schedules import SCHEDULES
from ingredients_kit import (
    CLASSES,
    INGREDIENTS,
    INPUTS,
    each_backend,
    each_ingredient,
    examples,
    network,
    observe,
    one_sentence,
    without_seconds,
)
from losses import LOSSES
from nn_core import NeuralNetwork

DEFAULTS = {
    "schedule": "constant", "warmup": 0.0, "dropout": 0.0, "input_dropout": 0.0, "label_smoothing": 0.0, "mixup": 0.0,
    "normalization": "none", "augmentation": "none", "averaging": "none",
}  # fmt: skip


def test_the_defaults_are_no_ingredient_at_all():
    parameters = inspect.signature(NeuralNetwork).parameters
    assert {name: parameters[name].default for name in DEFAULTS} == DEFAULTS
    for use in (NeuralNetwork.predict, NeuralNetwork.predict_proba):
        assert inspect.signature(use).parameters["mirrored"].default is False


# ---- what is drawn, and from where


@each_ingredient
def test_an_ingredient_changes_neither_initial_weights_nor_the_order_of_examples(name):
    plain, net = network(), network(**INGREDIENTS[name])
    for k, W in plain.weights.items():
        assert np.array_equal(net.weights[k], W)
    images, _ = examples()
    common = dict(inputs=INPUTS, num_hidden_neurons=[17], batch_size=8, max_epochs=2, seed=6)
    for before, after in zip(observe(common, images), observe(common | INGREDIENTS[name], images), strict=True):
        assert before.y.any(axis=0).tolist() == after.y.any(axis=0).tolist()  # the same examples in each batch
        if "mixup" not in INGREDIENTS[name]:
            assert np.array_equal(before.y, after.y)


def test_each_ingredient_has_a_stream_of_its_own():
    """What one draws is the same without the others."""
    images, _ = examples()
    common = dict(inputs=INPUTS, num_hidden_neurons=[17, 18], batch_size=8, max_epochs=2, seed=6)
    whole = observe(common | INGREDIENTS["all"], images)
    dropped = observe(common | {"dropout": 0.4}, images)
    blank = np.full_like(images, 255)
    sparse = observe(common | {"input_dropout": 0.1}, blank)
    mixed = observe(common | {"mixup": 0.4}, images)
    for a, b, c, d in zip(whole, dropped, sparse, mixed, strict=True):
        assert all(map(np.array_equal, a.masks, b.masks))
        assert (a.x[c.x == 0] == 0).all()
        assert np.array_equal(a.y, d.y)


@pytest.mark.parametrize("rate", [0.1, 0.4, 1 / 3, 0.9])
@pytest.mark.parametrize("key", ["dropout", "input_dropout"])
def test_dropout_drops_with_its_probability_and_scales_what_is_left(key, rate):
    images = np.full((300, INPUTS), 255, np.uint8)
    steps = observe(
        dict(inputs=INPUTS, num_hidden_neurons=[40, 50], batch_size=100, max_epochs=4) | {key: rate}, images
    )
    masks = [step.x for step in steps] if key == "input_dropout" else [mask for step in steps for mask in step.masks]
    exact = round(rate * 2**16) / 2**16
    mask = np.concatenate([mask.ravel() for mask in masks])
    np.testing.assert_allclose(np.unique(mask), [0, 1 / (1 - exact)], rtol=1e-12)
    assert stats.binomtest(int((mask == 0).sum()), mask.size, exact).pvalue > 1e-4
    assert not any(np.array_equal(a, b) for a, b in itertools.pairwise(masks) if a.shape == b.shape)
    for one in masks:  # each unit and each example has its own
        assert len(np.unique(one, axis=0)) > 1
        assert len(np.unique(one, axis=1)) > 1


def test_mixup_mixes_images_and_labels_of_a_batch_by_one_number():
    images, _ = examples(40)
    alpha, mixed = 0.4, []
    config = dict(inputs=INPUTS, num_hidden_neurons=[], batch_size=8, max_epochs=120)
    for plain, step in zip(observe(config, images), observe(config | {"mixup": alpha}, images), strict=True):
        np.testing.assert_allclose(step.y.sum(axis=1), 1)
        np.testing.assert_allclose(step.y.sum(axis=0)[step.y.any(axis=0)], 1)  # by a permutation
        np.testing.assert_allclose(step.x, step.y @ (images / 255), atol=1e-12)
        own = step.y[plain.y == 1]  # λ, but for an example that was mixed with itself
        shares = own[own < 1 - 1e-12]
        np.testing.assert_allclose(shares, shares[:1].repeat(len(shares)), atol=1e-12)
        mixed.extend(shares[:1])
    assert len(mixed) > 500
    assert stats.kstest(mixed, stats.beta(alpha, alpha).cdf).pvalue > 1e-4
    assert np.var(mixed) == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.12)  # four standard errors


@pytest.mark.parametrize("loss", LOSSES)
def test_smoothed_labels_are_for_training_alone(loss):
    smooth, plain = (network(loss=loss, label_smoothing=rate, dtype="float64") for rate in (0.3, 0.0))
    images, labels = examples()
    assert smooth.evaluate(images, labels) == plain.evaluate(images, labels)
    outputs = np.log(plain.predict_proba(images))  # softmax's inverse, up to a constant
    truth = 0.7 * np.eye(CLASSES)[labels] + 0.1
    expected, _ = LOSSES[loss].function(outputs, truth)
    assert smooth.backpropagate(images, labels) == pytest.approx(expected, rel=1e-12)


@each_ingredient
def test_neither_evaluating_nor_predicting_draws_anything(name):
    """And what was predicted once is predicted again."""
    nets = [network(**INGREDIENTS[name]) for _ in range(2)]
    images, labels = examples()
    records = [
        without_seconds(net.train((images, labels), v)) for net, v in zip(nets, (None, examples(9)), strict=True)
    ]
    assert nets[0].theta.tobytes() == nets[1].theta.tobytes()
    assert [record["loss"] for record in records[0]] == [record["loss"] for record in records[1]]
    assert np.array_equal(nets[0].predict_proba(images), nets[0].predict_proba(images))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@each_ingredient
def test_the_caller_s_examples_stay_as_they_are(name, dtype):
    """Images of the network's own kind would be the ones to be changed in place."""
    net = network(**INGREDIENTS[name], dtype=dtype)
    images, labels = examples(dtype=dtype)
    for given in (images, labels):
        given.flags.writeable = False
    list(net.train((images, labels), (images, labels)))
    net.backpropagate(images, labels)
    net.predict(images, mirrored=True)
    for given, again in zip((images, labels), examples(dtype=dtype), strict=True):
        assert np.array_equal(given, again)


@pytest.mark.parametrize("key", ["dropout", "input_dropout"])
def test_a_rate_that_rounds_to_nothing_changes_nothing(key):
    plain, net = network(backend="numpy"), network(backend="numpy", **{key: 1e-9})
    assert without_seconds(plain.train(examples())) == without_seconds(net.train(examples()))
    assert plain.theta.tobytes() == net.theta.tobytes()


# ---- normalization


@pytest.mark.parametrize("normalization", ["batch", "layer"])
@pytest.mark.parametrize("layers", [0, 1, 3])
def test_gains_are_views_at_the_end_of_theta_and_start_at_one(layers, normalization):
    net, plain = (network(layers=layers, normalization=kind) for kind in (normalization, "none"))
    assert list(net.gains) == list(range(1, layers + 1))
    assert list(plain.gains) == []
    assert net.theta.size == plain.theta.size + 7 * layers
    gains = np.concatenate([*net.gains.values(), []])
    assert np.array_equal(gains, np.ones(7 * layers))
    for k in net.gains:
        net.gains[k][...] = k
    assert np.array_equal(net.theta[plain.theta.size :], np.repeat(np.arange(1, layers + 1), 7))
    with pytest.raises(AttributeError):
        net.gains = {}
    with pytest.raises(TypeError):
        net.gains[1] = np.ones(7)


@each_backend
@pytest.mark.parametrize("name", ["batch", "all"])
def test_a_last_batch_of_one_image_trains_to_finite_numbers(name, backend):
    """Its variance is 0, and the unbiased one would be 0 / 0."""
    net = network(**INGREDIENTS[name], backend=backend)
    images, labels = examples(17)
    for record in net.train((images, labels), (images, labels)):
        assert np.isfinite(record["validationloss"])
    assert np.isfinite(net.predict_proba(images)).all()


def test_batch_normalization_predicts_an_image_alike_in_any_company():
    net = network(normalization="batch", dtype="float64")
    images, labels = examples()
    list(net.train((images, labels)))
    together = net.predict_proba(images)
    np.testing.assert_allclose(
        np.concatenate([net.predict_proba(image[None]) for image in images]), together, rtol=1e-12
    )


# ---- keeping


@each_backend
@each_ingredient
def test_a_run_saved_after_its_first_epoch_goes_on_bit_for_bit(name, backend, tmp_path):
    train, validation = examples(), examples(9, seed=2)
    config = INGREDIENTS[name] | {"optimizer": "adamw", "weight_decay": 0.01, "seed": 5, "backend": backend}
    whole, broken = network(**config), network(**config)
    records = without_seconds(whole.train(train, validation))
    first = without_seconds(broken.train(train, validation, max_epochs=1))
    broken.save(tmp_path / "net.npz")
    loaded, copied = NeuralNetwork.load(tmp_path / "net.npz"), copy.deepcopy(broken)
    for net in (loaded, copied):
        assert net.config == whole.config
        assert np.array_equal(net.predict_proba(validation[0]), broken.predict_proba(validation[0]))
        assert first + without_seconds(net.train(train, validation)) == records
        assert net.theta.tobytes() == whole.theta.tobytes()
        assert np.array_equal(net.predict_proba(validation[0]), whole.predict_proba(validation[0]))


@pytest.mark.parametrize("name", ["all", "all, the other way"])
def test_a_trained_network_that_was_saved_is_the_same_network(name, tmp_path):
    """Averages and statistics included, of a training that is over."""
    net = network(**INGREDIENTS[name], activation="relu")
    list(net.train(examples()))
    net.save(tmp_path / "net.npz")
    loaded = NeuralNetwork.load(tmp_path / "net.npz")
    assert loaded.evaluate(*examples(9)) == net.evaluate(*examples(9))
    assert list(loaded.train(examples())) == []


def test_a_file_from_before_there_were_ingredients_is_gone_on_with(tmp_path):
    whole = network()
    list(whole.train(examples(), max_epochs=1))
    whole.save(tmp_path / "new.npz")
    with np.load(tmp_path / "new.npz") as file:
        arrays = dict(file)
    state = json.loads(arrays.pop("state").item())
    del state["recipe"]
    state["config"] = {key: value for key, value in state["config"].items() if key not in DEFAULTS}
    np.savez(tmp_path / "old.npz", state=json.dumps(state), **arrays)
    loaded = NeuralNetwork.load(tmp_path / "old.npz")
    assert loaded.config == whole.config
    assert without_seconds(loaded.train(examples())) == without_seconds(whole.train(examples()))


@pytest.mark.parametrize("name", ["batch", "exponential"])
def test_a_file_whose_statistics_or_average_have_another_shape_is_refused(name, tmp_path):
    network(**INGREDIENTS[name]).save(tmp_path / "net.npz")
    with np.load(tmp_path / "net.npz") as file:
        arrays = dict(file)
    wrong = [key for key in arrays if key.startswith("recipe.")]
    assert wrong
    for key in wrong:
        np.savez(tmp_path / "wrong.npz", **arrays | {key: arrays[key][..., :1]})
        with pytest.raises(ValueError, match=r"wrong\.npz") as error:
            NeuralNetwork.load(tmp_path / "wrong.npz")
        one_sentence(error)


# ---- what a user adds in a notebook


def test_a_new_schedule_is_a_function_and_a_line(monkeypatch):
    monkeypatch.setitem(SCHEDULES, "half", lambda step, steps: 0.5)
    net, slow = network(schedule="HALF", learning_rate=0.02), network(learning_rate=0.01)
    assert without_seconds(net.train(examples())) == without_seconds(slow.train(examples()))


def test_a_new_augmentation_is_a_function_and_a_line(monkeypatch):
    def turn(images, rng):
        images[...] = images[:, ::-1]

    monkeypatch.setitem(AUGMENTATIONS, "turn", turn)
    images, labels = examples()
    turned = images.reshape(-1, 4, 4)[:, ::-1].reshape(images.shape)
    net, plain = network(augmentation=["turn"], backend="numpy"), network(backend="numpy")
    assert without_seconds(net.train((images, labels))) == without_seconds(plain.train((turned, labels)))


def test_a_new_averaging_is_a_class_and_a_line(monkeypatch):
    class First(Average):
        """θ after the first epoch."""

        def after_epoch(self, theta, epoch, epochs):
            if epoch == 1:
                self.theta[...], self.count = theta, 1

    monkeypatch.setitem(AVERAGINGS, "first", First)
    net, plain = network(averaging="first"), network()
    list(net.train(examples()))
    list(plain.train(examples(), max_epochs=1))
    assert np.array_equal(net.predict_proba(examples()[0]), plain.predict_proba(examples()[0]))


# ---- backends


@pytest.mark.parametrize("activation", ["relu", "gelu"])
@pytest.mark.parametrize("name", [*INGREDIENTS, "none"])
def test_backends_agree_within_rounding(name, activation):
    config = INGREDIENTS.get(name, {}) | {"activation": activation, "optimizer": "sgd", "learning_rate": 0.1}
    nets = [network(**config, backend=backend) for backend in ("numpy", "auto")]
    exact = network(**config, dtype="float64")
    records = [list(net.train(examples(), examples(9))) for net in (*nets, exact)]
    for net, record in zip(nets, records, strict=False):
        np.testing.assert_allclose(net.theta, exact.theta, rtol=0, atol=1e-4)
        np.testing.assert_allclose(net.predict_proba(examples()[0]), exact.predict_proba(examples()[0]), atol=1e-4)
        assert [r["loss"] for r in record] == pytest.approx([r["loss"] for r in records[-1]], rel=1e-4)
