"""Averages of the weights: by hand, what they are used for, and the statistics that belong to them."""

import copy

import numpy as np
import pytest

from ingredients_kit import each_backend, examples, network, watched

DECAY = 0.999


def with_theta(net, theta, **config):
    """A network of the same configuration without averaging, whose parameters are these."""
    other = network(**{k: v for k, v in net.config.items() if k in ("dtype", "normalization", "layers")} | config)
    other.theta[...] = theta
    return other


def trained(train, max_epochs=3, **config):
    """A network after its training, θ after each of its steps, and after each epoch."""
    net, seen = watched(max_epochs=max_epochs, **config)
    list(net.train(train))
    steps = [theta for _, _, theta in seen]
    return net, steps, steps[len(steps) // max_epochs - 1 :: len(steps) // max_epochs]


def test_the_exponential_average_by_hand():
    """v ← 0.999 v + 0.001 θ after each step from v = 0, then v / (1 - 0.999ᵗ)."""
    net, steps, _ = trained(examples(), averaging="exponential")
    v = 0
    for theta in steps:
        v = DECAY * v + (1 - DECAY) * theta
    expected = with_theta(net, v / (1 - DECAY ** len(steps)))
    images, labels = examples(9, seed=2)
    np.testing.assert_allclose(net.predict_proba(images), expected.predict_proba(images), rtol=1e-9)
    assert net.evaluate(images, labels)["loss"] == pytest.approx(expected.evaluate(images, labels)["loss"], rel=1e-9)
    assert np.array_equal(net.predict(images), expected.predict(images))
    assert np.array_equal(net.theta, steps[-1])  # training goes on from where it was


def test_the_exponential_average_of_one_step_is_that_step():
    net, [theta], _ = trained(examples(30), averaging="exponential", batch_size=30, max_epochs=1)
    expected = with_theta(net, theta).predict_proba(examples()[0])
    np.testing.assert_allclose(net.predict_proba(examples()[0]), expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("max_epochs", "taken"), [(1, [1]), (2, [2]), (4, [4]), (5, [4, 5]), (8, [7, 8]), (12, [10, 11, 12])]
)
def test_the_average_of_the_last_quarter_by_hand(max_epochs, taken):
    """An epoch is in it if it ends after three quarters of all epochs."""
    net, _, epochs = trained(examples(), averaging="last", max_epochs=max_epochs)
    images, _ = examples(9, seed=2)
    expected = with_theta(net, np.mean([epochs[k - 1] for k in taken], axis=0)).predict_proba(images)
    np.testing.assert_allclose(net.predict_proba(images), expected, rtol=1e-9)


@pytest.mark.parametrize("averaging", ["exponential", "last"])
def test_averaging_does_not_change_the_training(averaging):
    (_, plain, _), (_, steps, _) = (trained(examples(), averaging=name) for name in ("none", averaging))
    assert np.array_equal(plain, steps)


@pytest.mark.parametrize("averaging", ["exponential", "last"])
def test_without_an_average_yet_theta_is_used(averaging):
    """Before any step, and before the last quarter."""
    net = network(averaging=averaging, max_epochs=8, dtype="float64")
    images, _ = examples(9, seed=2)
    np.testing.assert_array_equal(net.predict_proba(images), with_theta(net, net.theta).predict_proba(images))
    if averaging == "last":
        list(net.train(examples(), max_epochs=6))
        np.testing.assert_array_equal(net.predict_proba(images), with_theta(net, net.theta).predict_proba(images))
        list(net.train(examples(), max_epochs=7))
        np.testing.assert_allclose(
            net.predict_proba(images), with_theta(net, net.theta).predict_proba(images), rtol=1e-12
        )


def normed(a, mean, variance, gain, b):
    return gain * (a - mean) / np.sqrt(variance + 1e-5) + b


@pytest.mark.parametrize("averaging", ["exponential", "last"])
def test_statistics_belong_to_the_averaged_weights(averaging):
    """A forward pass by hand: mean and variance over the training images, as the averaged layers before make them."""
    (images, labels), seen = examples(40), examples(9, seed=2)[0]
    net, steps, epochs = trained(
        (images, labels), averaging=averaging, normalization="batch", activation="tanh", max_epochs=8
    )
    weights = DECAY ** np.arange(len(steps))[::-1]
    theta = np.mean(epochs[6:], axis=0) if averaging == "last" else np.average(steps, axis=0, weights=weights)
    mean = with_theta(net, theta, max_epochs=8)
    train, h = images / 255, seen / 255
    for k in net.gains:
        W, b, gain = mean.weights[k], mean.biases[k], mean.gains[k]
        a = train @ W.T
        train = np.tanh(normed(a, a.mean(axis=0), a.var(axis=0), gain, b))  # as in training; unbiased in use
        h = np.tanh(normed(h @ W.T, a.mean(axis=0), a.var(axis=0, ddof=1), gain, b))
    a = h @ mean.weights[3].T + mean.biases[3]
    expected = np.exp(a) / np.exp(a).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(net.predict_proba(seen), expected, rtol=1e-6)


@each_backend
@pytest.mark.parametrize("averaging", ["exponential", "last"])
def test_the_validation_of_each_epoch_is_by_the_average(averaging, backend):
    net = network(averaging=averaging, normalization="batch", augmentation="mirror", backend=backend)
    validation = examples(9, seed=2)
    for record in net.train(examples(), validation):
        again = net.evaluate(*validation)
        assert (record["validationloss"], record["validationaccuracy"]) == (again["loss"], again["accuracy"])


def test_a_copy_keeps_the_average():
    images, labels = examples(30)
    net = network(averaging="exponential", normalization="batch")
    list(net.train((images, labels)))
    copied = copy.deepcopy(net)
    assert np.array_equal(copied.predict_proba(images), net.predict_proba(images))
