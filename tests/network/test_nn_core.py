"""The network: gradients by differences, training against scikit-learn and PyTorch, and what it promises its users."""

import ast
import copy
import hashlib
import inspect
import itertools
import json
import os
import re
import subprocess
import sys
import warnings
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

import fashion_mnist
import nn_core
from activations import ACTIVATIONS, Activation
from common.words import shown
from losses import LOSSES, Loss
from nn_core import INITIALIZERS, Diverged, NeuralNetwork
from optimizers import OPTIMIZERS, Optimizer

ROOT = Path(nn_core.__file__).parent
INPUTS, CLASSES = 6, 3


each_optimizer = pytest.mark.parametrize("optimizer", OPTIMIZERS)
each_backend = pytest.mark.parametrize("backend", ["numpy", "auto"])  # "auto" is numba where it is installed
each_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])


def network(**config):
    """A small network: whatever is not given is small."""
    small = {
        "inputs": INPUTS,
        "classes": CLASSES,
        "layers": 2,
        "num_hidden_neurons": 5,
        "batch_size": 4,
        "max_epochs": 2,
    }
    return NeuralNetwork(**small | config)


def examples(n=11, inputs=INPUTS, classes=CLASSES, seed=1):
    """Images in [0, 1) and labels."""
    rng = np.random.default_rng(seed)
    return rng.random((n, inputs)), rng.integers(0, classes, n)


def without_seconds(records):
    return [{k: v for k, v in record.items() if k != "seconds"} for record in records]


def one_sentence(error):
    """The text of a caught exception, which has to be a line that a person can read."""
    text = str(error.value)
    assert text
    assert "\n" not in text
    return text


# ---- gradients

STENCIL = {-2: 1 / 12, -1: -2 / 3, 1: 2 / 3, 2: -1 / 12}  # central differences whose error is of order step⁴
STEP = 1e-3


def sides(net, images):
    """On which side of zero, where all kinks lie, every unit of every hidden layer is for every image."""
    h, active = images, []
    for k in range(1, len(net.weights)):
        a = h @ net.weights[k].T + net.biases[k]
        h = net.ACTIVATIONS[net.config["activation"]].function(a)
        active.append(a > 0)
    return active


def random_direction(net, block, rng):
    """A random unit vector in the entries of theta that `block`, a view, stands for."""
    theta = net.theta.copy()
    net.theta[...] = 0
    block[...] = rng.normal(size=block.shape)
    direction = net.theta / np.linalg.norm(net.theta)
    net.theta[...] = theta
    return direction


def slope(net, direction, images, labels):
    """The loss's derivative along a direction, by differences; None if a unit crosses its kink on the way."""
    theta, before = net.theta.copy(), sides(net, images)
    total, smooth = 0.0, True
    for steps, coefficient in STENCIL.items():
        net.theta[...] = theta + steps * STEP * direction
        total += coefficient * net.evaluate(images, labels)["loss"]
        smooth &= all(map(np.array_equal, before, sides(net, images)))
    net.theta[...] = theta
    return total / STEP if smooth else None


def check_gradient(net, images, labels, directions=3):
    """The gradient along a few random directions in each W_k and each b_k, so that no layer hides behind another."""
    rng = np.random.default_rng(7)
    assert net.backpropagate(images, labels) == pytest.approx(net.evaluate(images, labels)["loss"], rel=1e-14)
    gradient = net.gradient.copy()
    for block in [*net.weights.values(), *net.biases.values()]:
        exact, numeric = [], []
        for _ in range(100):  # a direction across a kink is replaced by another
            direction = random_direction(net, block, rng)
            if (derivative := slope(net, direction, images, labels)) is not None:
                exact.append(gradient @ direction)
                numeric.append(derivative)
            if len(exact) == directions:
                break
        assert len(exact) == directions, "too many directions cross a kink: choose other examples"
        assert np.linalg.norm(np.subtract(exact, numeric)) < 1e-7 * np.linalg.norm(exact)


@pytest.mark.parametrize("weight_decay", [0.0, 0.05])
@pytest.mark.parametrize("layers", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_gradient_by_finite_differences(activation, loss, layers, weight_decay):
    net = network(activation=activation, loss=loss, layers=layers, weight_decay=weight_decay, dtype="float64")
    for b in net.biases.values():
        b[...] = np.random.default_rng(3).normal(0, 0.1, b.shape)
    check_gradient(net, *examples(7))


@pytest.mark.parametrize("widths", [[7], (7, 3), [3, 7, 4]])
def test_each_hidden_layer_may_have_a_width_of_its_own(widths, tmp_path):
    net = network(layers=None, num_hidden_neurons=widths, activation="tanh", dtype="float64")
    sizes = [INPUTS, *widths, CLASSES]
    assert [W.shape for W in net.weights.values()] == [(n, before) for before, n in itertools.pairwise(sizes)]
    assert (net.config["layers"], net.config["num_hidden_neurons"]) == (len(widths), list(widths))
    check_gradient(net, *examples(7))
    net.save(tmp_path / "net.npz")
    again = NeuralNetwork.load(tmp_path / "net.npz")
    assert again.config == net.config
    assert list(again.train(examples()))[-1]["loss"] == list(net.train(examples()))[-1]["loss"]


@each_backend
def test_equal_widths_are_as_many_layers_of_one_width(backend):
    one, other = (network(layers=2, num_hidden_neurons=widths, backend=backend) for widths in (5, [5, 5]))
    assert without_seconds(one.train(examples())) == without_seconds(other.train(examples()))
    np.testing.assert_array_equal(one.theta, other.theta)


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"layers": 3, "num_hidden_neurons": [5, 5]}, "layers=3: num_hidden_neurons=[5, 5] lists 2; leave layers out."),
        ({"num_hidden_neurons": [5, 0]}, "num_hidden_neurons=0: expected a whole number of at least 1."),
        ({"num_hidden_neurons": [5, 2.5]}, "num_hidden_neurons=2.5: expected a whole number of at least 1."),
        ({"num_hidden_neurons": "64 64"}, "num_hidden_neurons='64 64': expected a whole number of at least 1."),
    ],
)
def test_widths_that_contradict_or_are_none_are_refused(config, sentence):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        network(**config)


def test_weight_decay_is_on_weights_alone_and_in_every_loss():
    images, labels = examples()
    plain, decayed = (network(weight_decay=decay, dtype="float64") for decay in (0.0, 0.5))
    for net in (plain, decayed):
        net.theta[...] = 0.1
    squares = 0.1**2 * (INPUTS * 5 + 5 * 5 + 5 * CLASSES)
    difference = decayed.backpropagate(images, labels) - plain.backpropagate(images, labels)
    assert difference == pytest.approx(0.5 / 2 * squares, rel=1e-12)
    assert decayed.evaluate(images, labels)["loss"] - plain.evaluate(images, labels)["loss"] == pytest.approx(
        difference
    )
    # 43 biases and weights: λ W = 0.05 is added to the gradient of the 70 weights and nothing to that of the 13 biases
    added = np.sort(decayed.gradient - plain.gradient)
    np.testing.assert_allclose(added, [0.0] * 13 + [0.05] * 70, atol=1e-15)


@pytest.mark.parametrize(
    ("loss", "value", "gradient"),
    [
        # a = (0, log 3) gives ŷ = (1/4, 3/4). With y = (0, 1): -log 3/4, and its gradient ŷ - y.
        ("cross_entropy", 0.2876820724517809, (0.25, -0.25)),
        # ŷ - y = (1/4, -1/4), squares 1/16 + 1/16; ŷ · (ŷ - y) = -1/8; gradient 2 ŷ (ŷ - y + 1/8) = (3/16, -3/16).
        ("squared_error", 0.125, (0.1875, -0.1875)),
    ],
)
def test_losses_by_hand(loss, value, gradient):
    a, y = np.log([[1.0, 3.0]]), np.array([[0.0, 1.0]])
    for batch in (1, 2):  # the mean over a batch of equals is the same, its gradient by each row a share of it
        truth = y.repeat(batch, axis=0)
        losses, y_hat = LOSSES[loss].function(a.repeat(batch, axis=0), truth)
        assert losses == pytest.approx(value, rel=1e-15)
        np.testing.assert_allclose(y_hat, [[0.25, 0.75]] * batch, rtol=1e-15)
        found_gradient = LOSSES[loss].gradient(y_hat, truth)
        np.testing.assert_allclose(found_gradient, [np.divide(gradient, batch)] * batch, rtol=1e-15)


@each_dtype
def test_losses_of_certain_outputs_are_exact(dtype):
    """exp(1e4) has no floating point number, and log ŷ of the second class would be that of zero."""
    a, y = np.array([[1e4, -1e4]], dtype), np.array([[0, 1]], dtype)
    assert LOSSES["cross_entropy"].function(a, y)[0] == 2e4
    assert LOSSES["squared_error"].function(a, y)[0] == 2.0


# ---- initial weights


@pytest.mark.parametrize(
    ("initializer", "deviation"),
    [("random", 0.05), ("xavier", (2 / (400 + 100)) ** 0.5), ("he", (2 / 400) ** 0.5)],
)
def test_initializers_have_their_scale_and_biases_are_zero(initializer, deviation):
    net = network(inputs=400, num_hidden_neurons=100, layers=1, initializer=initializer, dtype="float64")
    assert net.weights[1].shape == (100, 400)
    assert net.weights[1].std() == pytest.approx(deviation, rel=0.02)  # 40,000 numbers: 0.4 % is one standard error
    assert abs(net.weights[1].mean()) < 0.02 * deviation
    assert all((b == 0).all() for b in net.biases.values())


def test_xavier_is_uniform_within_its_bound():
    bound = (6 / (400 + 100)) ** 0.5
    largest = np.abs(network(inputs=400, num_hidden_neurons=100, initializer="xavier").weights[1]).max()
    assert 0.999 * bound < largest <= bound


def test_every_initializer_is_tested():
    assert set(INITIALIZERS) == {"random", "xavier", "he"}


# ---- the trainer against others


@pytest.fixture
def watch(monkeypatch):
    """`watch(n, seed, batch_size, epochs)` are the batches, in rows, that `train` makes of n examples.

    Seen from outside: every example has a label of its own, and a loss in the dictionary writes down what it is given.
    """

    def batches(n, seed, batch_size, epochs=1):
        seen = []

        def spy(a, y):
            seen.append(y.argmax(axis=1))
            return 0.0, a

        monkeypatch.setitem(LOSSES, "spy", Loss(spy, lambda y_hat, y: np.zeros_like(y)))
        net = network(classes=n, layers=0, loss="spy", seed=seed, batch_size=batch_size)
        list(net.train((np.zeros((n, INPUTS)), np.arange(n)), max_epochs=epochs))
        return seen

    return batches


@pytest.mark.parametrize(
    ("n", "batch_size", "sizes"), [(10, 4, [4, 4, 2]), (5, 1, [1] * 5), (3, 8, [3]), (6, 3, [3, 3])]
)
def test_an_epoch_takes_every_example_once_the_smaller_last_batch_too(watch, n, batch_size, sizes):
    batches = watch(n, 0, batch_size)
    assert [len(batch) for batch in batches] == sizes
    assert sorted(np.concatenate(batches)) == list(range(n))


def test_chunks_in_which_images_are_read_do_not_show_in_the_batches(watch):
    batches = watch(2500, 0, 48)
    assert [len(batch) for batch in batches] == [48] * 52 + [4]
    assert sorted(np.concatenate(batches)) == list(range(2500))


def test_every_epoch_has_an_order_of_its_own(watch):
    first, second = watch(50, 0, 50, epochs=2)
    assert not np.array_equal(first, second)


@pytest.mark.parametrize(
    ("activation", "optimizer", "ours", "theirs"),
    [
        ("sigmoid", "sgd", {}, {"solver": "sgd", "momentum": 0.0, "activation": "logistic"}),
        ("tanh", "momentum", {"momentum": 0.7}, {"solver": "sgd", "momentum": 0.7, "nesterovs_momentum": False}),
        ("relu", "nesterov", {"momentum": 0.7}, {"solver": "sgd", "momentum": 0.7, "nesterovs_momentum": True}),
        # ε stands elsewhere in scikit-learn's Adam, so it is made too small to matter.
        ("identity", "adam", {"epsilon": 1e-30}, {"solver": "adam", "epsilon": 1e-30}),
    ],
)
def test_an_epoch_against_scikit_learn(watch, activation, optimizer, ours, theirs):
    """Same weights, same order, batches of one size: scikit-learn divides its L2 term by the size of the batch."""
    n, batch_size, decay, rate = 96, 16, 0.02, 0.05
    images, labels = examples(n)
    net = network(
        activation=activation, optimizer=optimizer, batch_size=batch_size, weight_decay=decay, learning_rate=rate,
        max_epochs=1, dtype="float64", **ours,
    )  # fmt: skip
    oracle = MLPClassifier(**{
        "hidden_layer_sizes": (5, 5), "activation": activation, "batch_size": batch_size, "alpha": decay * batch_size,
        "learning_rate_init": rate, "max_iter": 1, "shuffle": False, "warm_start": True, **theirs,
    })  # fmt: skip
    order = np.concatenate(watch(n, 0, batch_size))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        oracle.fit(images, labels)  # only to make its arrays; a warm start keeps them and begins a new optimizer
        for k, (W, b) in enumerate(zip(oracle.coefs_, oracle.intercepts_, strict=True), 1):
            W[...], b[...] = net.weights[k].T, net.biases[k]
        oracle.fit(images[order], labels[order])
    [record] = net.train((images, labels))
    assert record["loss"] == pytest.approx(oracle.loss_curve_[-1], rel=1e-12)
    for k, (W, b) in enumerate(zip(oracle.coefs_, oracle.intercepts_, strict=True), 1):
        np.testing.assert_allclose(net.weights[k], W.T, rtol=0, atol=1e-11)
        np.testing.assert_allclose(net.biases[k], b, rtol=0, atol=1e-11)
    np.testing.assert_allclose(net.predict_proba(images), oracle.predict_proba(images), atol=1e-11)


@pytest.mark.parametrize("loss", LOSSES)
def test_two_epochs_against_pytorch(loss, torch, twin, groups, watch):
    """Weights, and every number of every record, with a smaller last batch and uint8 images."""
    n, batch_size, decay = 103, 16, 0.02
    rng = np.random.default_rng(2)
    images, labels = rng.integers(0, 256, (n + 20, INPUTS), np.uint8), rng.integers(0, CLASSES, n + 20)
    train, validation = (images[:n], labels[:n]), (images[n:], labels[n:])
    net = network(
        loss=loss, activation="silu", optimizer="adam", batch_size=batch_size, weight_decay=decay, learning_rate=0.01,
        beta1=0.8, epsilon=1e-3, dtype="float64",
    )  # fmt: skip
    model = twin(net, torch.nn.SiLU())
    oracle = torch.optim.Adam(groups(model, decay), lr=0.01, betas=(0.8, 0.999), eps=1e-3)
    x, y = torch.from_numpy(images / 255), torch.from_numpy(labels)

    def loss_and_hits(rows):
        outputs = model(x[rows])
        if loss == "cross_entropy":
            value = torch.nn.functional.cross_entropy(outputs, y[rows])
        else:
            target = torch.nn.functional.one_hot(y[rows], CLASSES)
            value = (torch.softmax(outputs, 1) - target).square().sum(1).mean()
        penalty = decay / 2 * sum(linear.weight.detach().square().sum() for linear in model[::2])
        return value, float(value.detach() + penalty), int((outputs.argmax(1) == y[rows]).sum())

    batches = watch(n, 0, batch_size, epochs=2)
    assert len(batches) == 14
    for epoch, record in enumerate(net.train(train, validation)):
        total, hits = 0.0, 0
        for rows in batches[7 * epoch :][:7]:
            value, reported, correct = loss_and_hits(rows)
            oracle.zero_grad()
            value.backward()
            oracle.step()
            total += reported * len(rows)
            hits += correct
        _, reported, correct = loss_and_hits(np.arange(n, n + 20))
        assert record["epoch"] == epoch + 1
        assert record["loss"] == pytest.approx(total / n, rel=1e-12)
        assert record["accuracy"] == hits / n
        assert record["validationloss"] == pytest.approx(reported, rel=1e-12)
        assert record["validationaccuracy"] == correct / 20
    for k, linear in enumerate(model[::2], 1):
        np.testing.assert_allclose(net.weights[k], linear.weight.detach(), rtol=0, atol=1e-12)
        np.testing.assert_allclose(net.biases[k], linear.bias.detach(), rtol=0, atol=1e-12)


WORKLOADS = {  # of the benchmark: layers, width, activation, optimizer, its PyTorch, batch size
    "W1": (3, 128, "tanh", "Tanh", "adam", "Adam", {}, 32),
    "W2": (2, 64, "relu", "ReLU", "sgd", "SGD", {}, 16),
    "W3": (4, 128, "sigmoid", "Sigmoid", "nesterov", "SGD", {"momentum": 0.9, "nesterov": True}, 64),
    "W4": (2, 512, "relu", "ReLU", "adam", "Adam", {}, 256),
}


def losses_of_200_steps(workload, dtype, backend, torch, twin, groups):
    """Ours and PyTorch's, L2 term included, on the same initial weights and batches."""
    layers, width, activation, module, optimizer, kind, torch_settings, batch_size = WORKLOADS[workload]
    net = NeuralNetwork(
        layers=layers, num_hidden_neurons=width, activation=activation, optimizer=optimizer, weight_decay=0.0005,
        learning_rate=1e-3, dtype=dtype, backend=backend,
    )  # fmt: skip
    model = twin(net, getattr(torch.nn, module)())
    oracle = getattr(torch.optim, kind)(groups(model, 0.0005), lr=1e-3, **torch_settings)
    rng = np.random.default_rng(4)
    prototypes = rng.random((10, 784))
    ours, theirs = [], []
    for _ in range(200):
        labels = rng.integers(0, 10, batch_size)
        images = (0.1 * prototypes[labels] + 0.9 * rng.random((batch_size, 784))).astype(dtype)
        labels[: batch_size // 4] = 0  # a quarter is wrong, so that the loss stays away from zero
        loss = net.backpropagate(images, labels)
        net.optimizer.step(net.theta, net.gradient, loss)
        ours.append(loss)
        oracle.zero_grad()
        value = torch.nn.functional.cross_entropy(model(torch.from_numpy(images)), torch.from_numpy(labels))
        value.backward()
        penalty = 0.0005 / 2 * sum(linear.weight.square().sum().item() for linear in model[::2])
        theirs.append(value.item() + penalty)
        oracle.step()
    return np.array(ours), np.array(theirs)


@pytest.mark.parametrize(
    ("workload", "dtype", "backend", "tolerance"),
    [(workload, "float64", "numpy", 1e-12) for workload in WORKLOADS]
    # In float32 ReLU networks separate, as chaos does: the test below compares where they end.
    + [(workload, "float32", backend, 1e-5) for workload in ("W1", "W3") for backend in ("numpy", "auto")],
)
def test_the_workloads_of_the_benchmark_against_pytorch(workload, dtype, backend, tolerance, torch, twin, groups):
    ours, theirs = losses_of_200_steps(workload, dtype, backend, torch, twin, groups)
    assert ours.min() > 0.1
    assert np.abs(ours / theirs - 1).max() < tolerance


def accuracies(images, labels, workload, seed, torch, twin, groups):
    """Of five epochs, by our backends and by PyTorch from the same initial weights, on images that none has seen."""
    layers, width, activation, module, optimizer, kind, torch_settings, batch_size = WORKLOADS[workload]
    rate, held_out = {"sgd": 0.05, "adam": 1e-3}[optimizer], len(labels) // 6
    nets = [
        NeuralNetwork(
            layers=layers, num_hidden_neurons=width, activation=activation, optimizer=optimizer, weight_decay=0.0005,
            learning_rate=rate, batch_size=batch_size, max_epochs=5, initializer="he", seed=seed, backend=backend,
        )
        for backend in ("numpy", "auto")
    ]  # fmt: skip
    model = twin(nets[0], getattr(torch.nn, module)())
    oracle = getattr(torch.optim, kind)(groups(model, 0.0005), lr=rate, **torch_settings)
    parts = (images[held_out:], labels[held_out:]), (images[:held_out], labels[:held_out])
    ours = [list(net.train(*parts))[-1]["validationaccuracy"] for net in nets]
    x, y = torch.from_numpy(np.float32(images / np.float32(255))), torch.from_numpy(labels)
    order = torch.Generator().manual_seed(seed)
    for _ in range(5):
        for rows in (held_out + torch.randperm(len(y) - held_out, generator=order)).split(batch_size):
            oracle.zero_grad()
            torch.nn.functional.cross_entropy(model(x[rows]), y[rows]).backward()
            oracle.step()
    theirs = (model(x[:held_out]).argmax(1) == y[:held_out]).double().mean().item()
    return *ours, theirs


@pytest.mark.long
@pytest.mark.parametrize("workload", ["W2", "W4"])
def test_networks_of_relu_end_as_accurate_as_pytorch(workload, torch, twin, groups):
    """Five seeds, float32, on a part of the training images: the means differ by less than the spread explains."""
    images, labels = (part[:6000] for part in fashion_mnist.load().train)
    labels = labels.astype(np.int64)
    reached = np.array([accuracies(images, labels, workload, seed, torch, twin, groups) for seed in range(5)])
    assert reached.mean(axis=0).min() > 0.8
    *ours, theirs = reached.T
    for one in ours:
        deviation = np.sqrt((one.var(ddof=1) + theirs.var(ddof=1)) / 5)
        assert abs(one.mean() - theirs.mean()) < 3 * max(deviation, 0.002)


# ---- views


@each_dtype
@pytest.mark.parametrize("layers", [0, 1, 3])
def test_weights_and_biases_are_views_that_fill_theta(layers, dtype):
    net = network(layers=layers, dtype=dtype)
    list(net.train(examples()))
    sizes = [INPUTS, *[5] * layers, CLASSES]
    assert list(net.weights) == list(net.biases) == list(range(1, layers + 2))
    for k in net.weights:
        assert net.weights[k].shape == (sizes[k], sizes[k - 1])
        assert net.biases[k].shape == (sizes[k],)
    views = [*net.weights.values(), *net.biases.values()]
    assert all(np.shares_memory(view, net.theta) for view in views)
    assert net.theta.size == net.gradient.size == sum(view.size for view in views)
    assert net.theta.dtype == net.gradient.dtype == dtype
    assert net.theta.nbytes == net.theta.size * {"float32": 4, "float64": 8}[dtype]
    assert not np.shares_memory(net.theta, net.gradient)
    for number, view in enumerate(views):  # no two share an entry: each is written whole, and all of theta is written
        view[...] = number
    assert all((view == number).all() for number, view in enumerate(views))
    assert np.array_equal(np.unique(net.theta), np.arange(len(views)))


@pytest.mark.parametrize("name", ["theta", "gradient", "weights", "biases"])
def test_rebinding_a_vector_raises(name):
    net = network()
    with pytest.raises(AttributeError):
        setattr(net, name, np.zeros(3))


@pytest.mark.parametrize("name", ["weights", "biases"])
def test_rebinding_an_entry_raises(name):
    net = network()
    with pytest.raises(TypeError):
        getattr(net, name)[1] = np.zeros_like(getattr(net, name)[1])


def test_a_change_in_place_changes_predictions_before_and_after_training():
    images, labels = examples()
    net = network()
    for _ in range(2):
        before = net.predict_proba(images)
        net.weights[1][0, 0] += 1
        assert not np.array_equal(net.predict_proba(images), before)
        net.weights[1][0, 0] -= 1
        net.theta[...] = 0
        np.testing.assert_allclose(net.predict_proba(images), 1 / CLASSES)
        net.biases[3][1] = 50
        assert (net.predict(images) == 1).all()
        net.theta[...] = np.random.default_rng(0).normal(size=net.theta.shape)
        list(net.train((images, labels), max_epochs=net.epoch + 1))


def test_a_deep_copy_is_a_network_of_its_own():
    images, labels = examples()
    net = network()
    list(net.train((images, labels), max_epochs=1))
    twin = copy.deepcopy(net)
    assert not np.shares_memory(net.theta, twin.theta)
    assert all(np.shares_memory(view, twin.theta) for view in (*twin.weights.values(), *twin.biases.values()))
    list(twin.train((images, labels)))
    list(net.train((images, labels)))
    assert np.array_equal(net.theta, twin.theta)


# ---- randomness


@each_backend
def test_same_seed_same_bits_other_seed_other_bits(backend):
    nets = [network(seed=seed, backend=backend, weight_decay=0.01) for seed in (3, 3, 5)]
    records = [without_seconds(net.train(examples(), examples(5))) for net in nets]
    assert records[0] == records[1] != records[2]
    assert np.array_equal(nets[0].theta, nets[1].theta)
    assert not np.array_equal(nets[0].theta, nets[2].theta)


PROCESS = """
import hashlib, numpy as np
from nn_core import NeuralNetwork
net = NeuralNetwork(inputs=6, classes=3, layers=2, num_hidden_neurons=5, batch_size=4, max_epochs=2)
rng = np.random.default_rng(1)
list(net.train((rng.random((11, 6)), rng.integers(0, 3, 11))))
print(hashlib.sha256(net.theta.tobytes()).hexdigest())
"""


@pytest.mark.kernel
def test_another_process_computes_the_same_bits():
    net = network()
    list(net.train(examples()))
    done = subprocess.run([sys.executable, "-c", PROCESS], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == hashlib.sha256(net.theta.tobytes()).hexdigest()


def test_the_global_random_state_is_neither_read_nor_changed():
    thetas = []
    for seed in (1, 2):
        np.random.seed(seed)  # noqa: NPY002
        before = np.random.get_state()  # noqa: NPY002
        net = network()
        list(net.train(examples()))
        after = np.random.get_state()  # noqa: NPY002
        assert all(map(np.array_equal, before, after))
        thetas.append(net.theta)
    assert np.array_equal(*thetas)


# ---- training as a generator


def test_who_stops_between_epochs_may_go_on():
    whole, broken = network(max_epochs=3), network(max_epochs=3)
    records = without_seconds(whole.train(examples()))
    first = next(broken.train(examples()))
    rest = broken.train(examples())
    assert without_seconds([first, *rest]) == records
    assert [record["epoch"] for record in records] == [1, 2, 3]
    assert np.array_equal(whole.theta, broken.theta)
    assert list(broken.train(examples())) == []  # all epochs are done
    assert [record["epoch"] for record in broken.train(examples(), max_epochs=4)] == [4]


def test_records_hold_plain_numbers():
    [record] = network(max_epochs=1).train(examples(), examples(5))
    names = ["epoch", "loss", "accuracy", "validationloss", "validationaccuracy", "seconds"]
    assert list(record) == names
    assert [type(record[name]) for name in names] == [int] + [float] * 5
    assert list(next(network().train(examples()))) == ["epoch", "loss", "accuracy", "seconds"]
    assert {type(value) for value in network().evaluate(*examples()).values()} == {float}


def test_it_learns():
    images, labels = examples(200)
    labels = (images[:, 0] > images[:, 1]).astype(int) + (images[:, 2] > 0.5)
    net = network(max_epochs=60, learning_rate=0.01, num_hidden_neurons=16)
    records = list(net.train((images, labels)))
    assert records[-1]["accuracy"] > 0.95 > records[0]["accuracy"]
    assert net.evaluate(images, labels)["accuracy"] == np.mean(net.predict(images) == labels)
    assert np.array_equal(net.predict_proba(images).argmax(axis=1), net.predict(images))


def test_many_images_are_predicted_in_their_order():
    images, labels = examples(2500)
    net = network(dtype="float64")
    parts = [slice(0, 700), slice(700, 2500)]
    np.testing.assert_allclose(net.predict_proba(images), np.concatenate([net.predict_proba(images[p]) for p in parts]))
    assert np.array_equal(net.predict(images), np.concatenate([net.predict(images[p]) for p in parts]))
    whole, first, rest = (net.evaluate(images[p], labels[p]) for p in (slice(None), *parts))
    for name, value in whole.items():
        assert value == pytest.approx((700 * first[name] + 1800 * rest[name]) / 2500)


def test_images_may_come_in_rows_and_columns():
    images, labels = examples(9, inputs=28 * 28)
    flat, square = network(inputs=784), network(inputs=784)
    assert without_seconds(flat.train((images, labels))) == without_seconds(
        square.train((images.reshape(-1, 28, 28), labels))
    )
    assert np.array_equal(flat.predict_proba(images), square.predict_proba(images.reshape(-1, 28, 28)))


@each_dtype
def test_pixels_are_scaled_as_by_hand(dtype):
    rng = np.random.default_rng(0)
    pixels, labels = rng.integers(0, 256, (11, INPUTS), np.uint8), rng.integers(0, CLASSES, 11)
    nets = [network(dtype=dtype) for _ in range(2)]
    for net, images in zip(nets, (pixels, (pixels / 255).astype(dtype)), strict=True):
        list(net.train((images, labels)))
    tolerance = {"float32": 1e-5, "float64": 1e-13}[dtype]
    np.testing.assert_allclose(nets[0].theta, nets[1].theta, rtol=tolerance, atol=tolerance)


def test_images_mapped_from_a_file_train_alike_and_stay_as_they_are(tmp_path):
    rng = np.random.default_rng(0)
    pixels, labels = rng.integers(0, 256, (11, INPUTS), np.uint8), rng.integers(0, CLASSES, 11, np.uint8)
    np.save(tmp_path / "images.npy", pixels)
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    nets = [network() for _ in range(2)]
    for net, images in zip(nets, (pixels, mapped), strict=True):
        list(net.train((images, labels), (images, labels)))
    assert np.array_equal(nets[0].theta, nets[1].theta)
    assert np.array_equal(mapped, pixels)


def test_without_hidden_layers_it_is_softmax_regression():
    images, labels = examples()
    net = network(layers=0, dtype="float64")
    scores = np.exp(images @ net.weights[1].T)
    np.testing.assert_allclose(net.predict_proba(images), scores / scores.sum(axis=1, keepdims=True))
    first, *_, last = [record["loss"] for record in net.train((images, labels), max_epochs=20)]
    assert last < first


def test_names_are_found_in_any_case():
    lower, upper = (
        network(optimizer=f("nag"), activation=f("relu"), initializer=f("he"), loss=f("squared_error"))
        for f in (str.lower, str.upper)
    )
    for net in (lower, upper):
        list(net.train(examples()))
    assert np.array_equal(lower.theta, upper.theta)


def test_the_configuration_is_printed_and_makes_the_network_again():
    net = network(optimizer="nag", momentum=0.5, beta=None, seed=9)
    assert eval(repr(net)).config == net.config == NeuralNetwork(**net.config).config
    assert net.config["momentum"] == net.optimizer.momentum == 0.5
    assert "beta" not in net.config


# ---- save and load


@each_backend
@each_optimizer
def test_a_run_saved_half_way_equals_the_unbroken_one(optimizer, backend, tmp_path):
    train, validation = examples(11), examples(5, seed=2)
    config = {"optimizer": optimizer, "weight_decay": 0.01, "max_epochs": 4, "seed": 5, "backend": backend}
    whole, broken = network(**config), network(**config)
    records = without_seconds(whole.train(train, validation))
    first_half = without_seconds(broken.train(train, validation, max_epochs=2))
    broken.save(tmp_path / "half.npz")
    loaded = NeuralNetwork.load(tmp_path / "half.npz")
    assert (loaded.config, loaded.epoch) == (broken.config, 2)
    assert loaded.evaluate(*validation) == broken.evaluate(*validation)
    assert first_half + without_seconds(loaded.train(train, validation)) == records
    assert loaded.theta.tobytes() == whole.theta.tobytes()
    for name in loaded.optimizer.vectors:
        assert np.array_equal(getattr(loaded.optimizer, name), getattr(whole.optimizer, name))
    assert all(np.shares_memory(view, loaded.theta) for view in (*loaded.weights.values(), *loaded.biases.values()))


@pytest.mark.parametrize("optimizer", ["adam", "nadam", "adamw"])
def test_a_file_from_before_the_sums_had_names_of_their_own_is_gone_on_with(optimizer, tmp_path):
    """Adam's `m` and `v` were what are `g_sum` and `g2_sum` now."""
    whole = network(optimizer=optimizer, max_epochs=3)
    list(whole.train(examples(), max_epochs=1))
    whole.save(tmp_path / "new.npz")
    with np.load(tmp_path / "new.npz") as file:
        arrays = {name.replace("g2_sum", "v").replace("g_sum", "m"): array for name, array in file.items()}
    assert {"optimizer.m", "optimizer.v"} < set(arrays)
    np.savez(tmp_path / "old.npz", **arrays)
    loaded = NeuralNetwork.load(tmp_path / "old.npz")
    assert without_seconds(loaded.train(examples())) == without_seconds(whole.train(examples()))


def test_the_configuration_is_what_the_signature_says():
    parameters = inspect.signature(NeuralNetwork).parameters
    defaults = {name: p.default for name, p in parameters.items() if p.default is not p.empty}
    assert NeuralNetwork().config == defaults | {"layers": 3}


@pytest.mark.parametrize("kind", [np.int64, np.int32, np.float32])
def test_numpy_numbers_in_a_configuration_can_be_saved(kind, tmp_path):
    """A configuration often comes out of a table."""
    key = "learning_rate" if np.issubdtype(kind, np.floating) else "layers"
    network(**{key: kind(1)}).save(tmp_path / "net.npz")
    assert NeuralNetwork.load(tmp_path / "net.npz").config[key] == 1


class Unwritable:
    def __reduce__(self):
        raise OSError("No space left on device")


def test_a_save_that_fails_half_way_leaves_the_old_file(tmp_path):
    net = network()
    net.save(tmp_path / "net.npz")
    before = (tmp_path / "net.npz").read_bytes()
    list(net.train(examples()))
    net.optimizer.broken = np.array([Unwritable()])  # written after theta
    with pytest.raises(OSError, match="No space left"):
        net.save(tmp_path / "net.npz")
    assert [path.name for path in tmp_path.iterdir()] == ["net.npz"]
    assert (tmp_path / "net.npz").read_bytes() == before


def test_a_save_replaces_an_older_file_and_leaves_no_other(tmp_path):
    net = network()
    for _ in net.train(examples()):
        net.save(tmp_path / "net.npz")
        assert [path.name for path in tmp_path.iterdir()] == ["net.npz"]
    assert NeuralNetwork.load(tmp_path / "net.npz").epoch == 2


def refused(path):
    """The one sentence of a file that is no network; a traceback of some other kind fails the test."""
    with pytest.raises((ValueError, FileNotFoundError)) as error:
        NeuralNetwork.load(path)
    text = one_sentence(error)
    assert str(path) in text
    return text


def test_foreign_files_are_refused_in_one_sentence(tmp_path):
    (tmp_path / "folder.npz").mkdir()
    (tmp_path / "empty.npz").touch()
    (tmp_path / "text.npz").write_text("not a network\n")
    np.save(tmp_path / "array.npy", np.zeros(3))
    np.savez(tmp_path / "arrays.npz", theta=np.zeros(3))
    np.savez(tmp_path / "other.npz", theta=np.zeros(3), state=json.dumps({"config": {}}))
    np.savez(tmp_path / "list.npz", theta=np.zeros(3), state=json.dumps([1]))
    np.savez(tmp_path / "numbers.npz", theta=np.zeros(3), state=np.zeros(3))
    for path in sorted(tmp_path.iterdir()):
        assert "expected" in refused(path)
    refused(tmp_path / "missing.npz")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs a system with named pipes")
def test_a_pipe_in_the_place_of_a_network_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "net.npz")
    assert "it is a device and no file" in refused(tmp_path / "net.npz")


def test_a_file_whose_weights_have_another_shape_is_refused(tmp_path):
    net = network()
    net.save(tmp_path / "net.npz")
    with np.load(tmp_path / "net.npz") as file:
        arrays = dict(file)
    for wrong in (net.theta[:-1], net.theta[:1], np.float32(0)):
        np.savez(tmp_path / "wrong.npz", **arrays | {"theta": wrong})
        refused(tmp_path / "wrong.npz")


def without(path, *names, **changes):
    """The file of a network without some of its arrays, and with other entries of its optimizer's state."""
    with np.load(path) as file:
        arrays = {name: array for name, array in file.items() if name not in names}
    state = json.loads(arrays["state"].item())
    state["optimizer"] |= changes
    np.savez(path, **arrays | {"state": json.dumps(state)})
    return path


@each_backend
@each_optimizer
def test_a_file_without_something_that_the_next_step_needs_is_refused(optimizer, backend, tmp_path):
    path, net = tmp_path / "net.npz", network(optimizer=optimizer, backend=backend)
    list(net.train(examples()))
    net.save(path)
    with np.load(path) as file:
        remembered = [name for name in file if name.startswith("optimizer.")]
    for name in remembered:
        net.save(path)
        assert name.partition(".")[2] in refused(without(path, name))
    for steps in (-1, 1.5, "2"):
        net.save(path)
        assert "t=" in refused(without(path, t=steps))


def test_a_file_without_the_streams_that_its_masks_are_drawn_from_is_refused(tmp_path):
    network(dropout=0.5).save(tmp_path / "net.npz")
    with np.load(tmp_path / "net.npz") as file:
        arrays = dict(file)
    state = json.loads(arrays["state"].item())
    for streams in ({}, {"streams": []}, {"streams": state["recipe"]["streams"][:2]}):
        np.savez(tmp_path / "net.npz", **arrays | {"state": json.dumps(state | {"recipe": streams})})
        refused(tmp_path / "net.npz")


def test_truncated_files_are_refused(tmp_path):
    path = tmp_path / "net.npz"
    network().save(path)
    whole = path.read_bytes()
    for size in np.linspace(0, len(whole) - 1, 60, dtype=int):
        path.write_bytes(whole[:size])
        refused(path)


def loaded_or_refused(path):
    """The network, or nothing if it is refused as it should be; any other exception fails the test."""
    try:
        return NeuralNetwork.load(path)
    except ValueError as error:
        sentence = str(error)
    assert str(path) in sentence
    return None


def test_a_corrupt_file_is_refused_or_it_was_no_byte_that_matters(tmp_path):
    path = tmp_path / "net.npz"
    net = network(layers=0)
    net.save(path)
    whole = path.read_bytes()
    for position in range(0, len(whole), 5):
        damaged = bytearray(whole)
        damaged[position] ^= 0xFF
        path.write_bytes(damaged)
        if loaded := loaded_or_refused(path):
            assert np.array_equal(loaded.theta, net.theta)
            assert loaded.config == net.config


# ---- errors


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"activation": "rellu"}, ["activation='rellu'", "did you mean 'relu'", "leaky_relu, elu, gelu"]),
        ({"optimizer": "Adma"}, ["optimizer='Adma'", "did you mean 'adam'", "rmsprop, adam, nadam"]),
        ({"initializer": "xaver"}, ["initializer='xaver'", "did you mean 'xavier'", "random, xavier, he"]),
        ({"loss": "crossentropy"}, ["loss='crossentropy'", "did you mean 'cross_entropy'"]),
        ({"loss": "hinge"}, ["loss='hinge'", "Choose from cross_entropy, squared_error"]),
        ({"activation": None}, ["activation=None", "Choose from"]),
        ({"activation": np.tanh}, ["activation=", "Choose from"]),
        ({"dtype": "float16"}, ["dtype='float16'", "float32, float64"]),
        ({"momentum": 0.9}, ["momentum=0.9", "'adam' has no such setting", "learning_rate, beta1, beta2, epsilon"]),
        ({"beta": 0.9}, ["beta=0.9", "no such setting", "beta1, beta2"]),
        ({"lerning_rate": 0.1}, ["lerning_rate=0.1", "did you mean 'learning_rate'"]),
        ({"layers": -1}, ["layers=-1", "whole number of at least 0"]),
        ({"layers": [2]}, ["layers=[2]", "whole number of at least 0"]),
        ({"batch_size": [32]}, ["batch_size=[32]", "whole number of at least 1"]),
        ({"seed": [0]}, ["seed=[0]", "whole number of at least 0"]),
        ({"layers": 2.0}, ["layers=2.0", "whole number"]),
        ({"layers": True}, ["layers=True", "whole number"]),
        ({"layers": "2"}, ["layers='2'", "whole number"]),
        ({"num_hidden_neurons": 0}, ["num_hidden_neurons=0", "at least 1"]),
        ({"max_epochs": 0}, ["max_epochs=0", "at least 1"]),
        ({"num_hidden_neurons": [64, "a"]}, ["num_hidden_neurons='a'", "whole number"]),
        ({"batch_size": 0}, ["batch_size=0", "at least 1"]),
        ({"batch_size": None}, ["batch_size=None", "whole number"]),
        ({"seed": -1}, ["seed=-1", "at least 0"]),
        ({"seed": None}, ["seed=None", "whole number"]),
        ({"inputs": 0}, ["inputs=0", "at least 1"]),
        ({"classes": 1}, ["classes=1", "at least 2"]),
        ({"learning_rate": -0.1}, ["learning_rate=-0.1", "expects"]),
        ({"learning_rate": float("nan")}, ["learning_rate=nan", "expects"]),
        ({"learning_rate": "0.1"}, ["learning_rate='0.1'", "expects"]),
        ({"learning_rate": True}, ["learning_rate=True", "expects"]),
        ({"beta1": 1.0}, ["beta1=1.0", "below 1"]),
        ({"epsilon": -1e-8}, ["epsilon=-1e-08", "expects"]),
        ({"weight_decay": -0.1}, ["weight_decay=-0.1", "number from 0 on"]),
        ({"weight_decay": float("inf")}, ["weight_decay=inf", "number from 0 on"]),
        ({"weight_decay": "0"}, ["weight_decay='0'", "number from 0 on"]),
        ({"weight_decay": True}, ["weight_decay=True", "number from 0 on"]),
        ({"learning_rate": 10**400}, ["learning_rate=1000", "...", "at most 1e+308"]),
        ({"weight_decay": 10**400}, ["weight_decay=1000", "...", "at most 1e+308"]),
        ({"seed": 10**5000}, ["seed=a number of 16610 bits", "at most 3402823"]),
        ({"layers": 10**6}, ["layers=1000000", "at most 1000"]),
        ({"layers": None, "num_hidden_neurons": [1] * 10**6}, ["layers=1000000", "at most 1000"]),
        (
            {"classes": 10**9, "num_hidden_neurons": 10**5},
            ["no room in memory (2,00", "bytes", "lower num_hidden_neurons"],
        ),
        ({"num_hidden_neurons": 2**31 - 1}, ["bytes are asked for", "lower num_hidden_neurons"]),
        ({"batch_size": 10**400}, ["batch_size=1000", "at most 2147483647"]),
        ({"optimizer": "x" * 10_000}, ["optimizer='xxx", "Choose from"]),
        ({"x" * 10_000: 1}, ["no such setting"]),
        ({"weight_decay": -0.1, "optimizer": "adamw"}, ["weight_decay=-0.1", "number from 0 on"]),
    ],
    ids=lambda value: shown(value) if isinstance(value, dict) else "",
)
def test_a_wrong_configuration_is_refused_in_one_sentence(config, expected):
    with pytest.raises(ValueError, match=r"=|room") as error:
        network(**config)
    for fragment in expected:
        assert fragment in one_sentence(error)
    assert len(one_sentence(error)) < 500


def test_no_room_for_what_is_drawn_after_the_block_is_said_as_well(monkeypatch):
    monkeypatch.setitem(INITIALIZERS, "greedy", lambda n_in, n_out, rng: np.empty((n_in, n_out, 2**50)))
    with pytest.raises(ValueError, match=r"no room in memory .*lower num_hidden_neurons") as error:
        network(initializer="greedy")
    assert len(one_sentence(error)) < 500


def test_a_setting_of_no_optimizer_is_refused_even_when_it_is_none():
    """None stands for the default, of a setting that exists somewhere: a misspelt name is one all the same."""
    network(momentum=None, beta=None)
    with pytest.raises(ValueError, match="momentun"):
        network(momentun=None)


IMAGES, LABELS = examples(4)


@pytest.mark.parametrize(
    ("images", "labels", "expected"),
    [
        pytest.param(IMAGES[:, 1:], LABELS, ["images of shape (4, 5)", "(n, 6)"], id="narrow images"),
        pytest.param(IMAGES[0], LABELS, ["images of shape (6,)", "(n, 6)"], id="one image"),
        pytest.param(IMAGES.reshape(4, 2, 3)[..., :2], LABELS, ["shape (4, 2, 2)", "6 elements"], id="small images"),
        pytest.param(
            IMAGES.astype("int64"), LABELS, ["images of type int64", "uint8", "floating point"], id="integers"
        ),
        pytest.param(IMAGES > 0.5, LABELS, ["images of type bool", "uint8"], id="truth values"),
        pytest.param(IMAGES + 0j, LABELS, ["images of type complex128", "uint8"], id="complex images"),
        pytest.param(IMAGES.astype(str), LABELS, ["images of type", "uint8"], id="images of text"),
        pytest.param(IMAGES, LABELS[1:], ["labels of shape (3,)", "4 images"], id="a label too few"),
        pytest.param(IMAGES, LABELS[:, None], ["labels of shape (4, 1)", "4 images"], id="a column of labels"),
        pytest.param(IMAGES, LABELS.astype(float), ["labels of type float64", "whole numbers"], id="floating labels"),
        pytest.param(
            IMAGES,
            LABELS.astype(str),
            ["labels of type", "whole numbers"],
            id="labels of text",
        ),
        pytest.param(IMAGES, LABELS - LABELS.max() - 1, ["labels", "to -1", "below 3"], id="negative labels"),
        pytest.param(IMAGES, [0, 1, 2, 3], ["labels", "from 0 to 3", "below 3"], id="a label too large"),
        pytest.param(IMAGES, None, ["labels", "expected"], id="no labels"),
        pytest.param(IMAGES[:0], LABELS[:0], ["images of shape (0,", "at least one"], id="no examples"),
    ],
)
def test_wrong_examples_are_refused_in_one_sentence(images, labels, expected):
    net = network()
    for use in (
        lambda: list(net.train((images, labels))),
        lambda: list(net.train((IMAGES, LABELS), (images, labels))),
        lambda: net.evaluate(images, labels),
        lambda: net.backpropagate(images, labels),
    ):
        with pytest.raises(ValueError, match=r"images|labels") as error:
            use()
        for fragment in expected:
            assert fragment in one_sentence(error)
    assert len(one_sentence(error)) < 500
    assert net.epoch == 0


@pytest.mark.parametrize(
    "images",
    [
        pytest.param(IMAGES[:, 1:], id="too narrow"),
        pytest.param(IMAGES[0], id="one image"),
        pytest.param(IMAGES.astype(int), id="integers"),
        pytest.param(IMAGES[:0], id="none"),
    ],
)
def test_wrong_images_are_refused_by_predictions(images):
    net = network()
    for predict in (net.predict, net.predict_proba):
        with pytest.raises(ValueError, match=r"images.*expected") as error:
            predict(images)
        one_sentence(error)


@pytest.mark.parametrize("train", [IMAGES, (IMAGES,), None], ids=["images", "a tuple of images", "nothing"])
def test_a_training_set_that_is_no_pair_is_refused(train):
    with pytest.raises((TypeError, ValueError), match=r"images.*labels") as error:
        list(network().train(train))
    one_sentence(error)


# A warning that leaks from what follows would fail it: pytest turns RuntimeWarning into an error.


@pytest.mark.parametrize(("dtype", "learning_rate"), [("float32", 1e30), ("float64", 1e200)])
@pytest.mark.parametrize("optimizer", ["sgd", "nesterov", "adam"])
def test_divergence_is_one_sentence_and_no_warning(optimizer, dtype, learning_rate):
    net = network(activation="identity", layers=4, optimizer=optimizer, learning_rate=learning_rate, dtype=dtype)
    with pytest.raises(Diverged) as error:
        list(net.train(examples()))
    text = one_sentence(error)
    assert "epoch 1" in text
    assert "learning_rate" in text
    assert isinstance(error.value, FloatingPointError)


def test_divergence_in_the_last_step_of_an_epoch_is_found_too():
    """The loss before that step was still finite; the validation loss after it is not."""
    net = network(activation="relu", optimizer="sgd", learning_rate=1e30, batch_size=11)
    with pytest.raises(Diverged):
        list(net.train(examples(), examples(), max_epochs=1))


# ---- what a user adds in a notebook


@dataclass
class Eve(Optimizer):
    """Adam with feedback from the loss (Koushik and Hayashi, 2016, first version, algorithm 1)."""

    vectors = ("m", "v")

    beta1: float = 0.9
    beta2: float = 0.999
    beta3: float = 0.999
    lower: float = 0.1  # k
    upper: float = 10.0  # K
    epsilon: float = 1e-8

    d: float = field(default=1.0, init=False)  # the smoothed relative change of the loss
    smoothed: float = field(default=0.0, init=False)  # the loss, its changes clipped

    def step(self, theta, gradient, loss):
        self.t += 1
        if self.t == 1:
            self.smoothed = loss
        else:
            low, high = 1 + self.lower, 1 + self.upper
            if loss < self.smoothed:
                low, high = 1 / high, 1 / low
            previous, self.smoothed = self.smoothed, self.smoothed * min(max(low, loss / self.smoothed), high)
            change = abs(self.smoothed - previous) / min(self.smoothed, previous)
            self.d = self.beta3 * self.d + (1 - self.beta3) * change
        self.m += (1 - self.beta1) * (gradient - self.m)
        self.v += (1 - self.beta2) * (gradient**2 - self.v)
        m, v = self.m / (1 - self.beta1**self.t), self.v / (1 - self.beta2**self.t)
        theta -= self.learning_rate * m / (self.d * np.sqrt(v) + self.epsilon)


def test_a_new_optimizer_is_one_class_and_one_line(monkeypatch, tmp_path):
    monkeypatch.setitem(OPTIMIZERS, "eve", Eve)
    images, labels = examples(64)
    labels = (images[:, 0] > images[:, 1]).astype(int)
    whole, broken = (network(optimizer="EVE", beta3=0.9, learning_rate=0.01, max_epochs=30, seed=1) for _ in range(2))
    records = without_seconds(whole.train((images, labels)))
    assert records[-1]["loss"] < 0.5 * records[0]["loss"]
    assert whole.optimizer.d != 1  # the loss has come through

    first_half = without_seconds(broken.train((images, labels), max_epochs=11))
    broken.save(tmp_path / "eve.npz")
    loaded = NeuralNetwork.load(tmp_path / "eve.npz")
    assert first_half + without_seconds(loaded.train((images, labels))) == records
    assert np.array_equal(loaded.theta, whole.theta)
    assert loaded.optimizer == whole.optimizer  # a dataclass: its settings, and t, d and the smoothed loss

    with pytest.raises(ValueError, match=r"did you mean 'lower'"):
        network(optimizer="eve", louer=0.1)
    with pytest.raises(ValueError, match=re.escape(f"Choose from {', '.join(OPTIMIZERS)}.")):
        network(optimizer="none of these")


def test_a_new_activation_is_two_functions_and_one_line(monkeypatch, tmp_path):
    softplus = Activation(lambda a: np.logaddexp(0, a), lambda a, h: -np.expm1(-h))
    monkeypatch.setitem(ACTIVATIONS, "softplus", softplus)
    net = network(activation="softplus", dtype="float64")
    check_gradient(net, *examples(7))
    list(net.train(examples()))
    net.save(tmp_path / "net.npz")
    assert np.array_equal(NeuralNetwork.load(tmp_path / "net.npz").predict_proba(IMAGES), net.predict_proba(IMAGES))


@pytest.mark.parametrize("width", [5, 700])
def test_an_optimizer_may_remember_what_it_makes_by_itself(width, monkeypatch, tmp_path):
    """A vector made in the first step, more room than it has named, and a setting that is no number."""

    @dataclass
    class Lazy(Optimizer):
        sign: bool = True

        def prepare(self, theta, weights=slice(None), new=np.zeros_like):
            super().prepare(theta, weights, new)
            self.one, self.other = new(theta), new(theta)

        def step(self, theta, gradient, loss):
            self.t += 1
            if self.t == 1:
                self.m = np.zeros_like(theta)
            self.m += np.sign(gradient)
            theta -= self.learning_rate * self.m

    monkeypatch.setitem(OPTIMIZERS, "lazy", Lazy)
    net = network(optimizer="lazy", num_hidden_neurons=width, max_epochs=4, sign=False)
    assert net.optimizer.one.shape == net.optimizer.other.shape == net.theta.shape
    list(net.train(examples(), max_epochs=2))
    net.save(tmp_path / "net.npz")
    for other in (NeuralNetwork.load(tmp_path / "net.npz"), copy.deepcopy(net)):
        assert np.array_equal(other.optimizer.m, net.optimizer.m)
        assert not np.shares_memory(other.optimizer.m, net.optimizer.m)
        assert other.optimizer.sign is False


def test_images_beyond_the_largest_number_are_refused():
    """In float64 they are finite; in the network's float32 they would not be."""
    with pytest.raises(ValueError, match="not finite in float32"):
        network().predict(np.full((1, INPUTS), 1e300))
    assert network(dtype="float64").predict(np.full((1, INPUTS), 1e300)).shape == (1,)


# ---- properties

networks = st.fixed_dictionaries(
    {
        "layers": st.integers(0, 4),
        "num_hidden_neurons": st.integers(1, 9),
        "batch_size": st.integers(1, 12),
        "activation": st.sampled_from(list(ACTIVATIONS)),
        "initializer": st.sampled_from(list(INITIALIZERS)),
        "loss": st.sampled_from(list(LOSSES)),
        "optimizer": st.sampled_from(list(OPTIMIZERS)),
        "weight_decay": st.sampled_from([0.0, 0.0005, 0.5]),
        "seed": st.integers(0, 2**32),
        "backend": st.sampled_from(["numpy", "auto"]),
    }
)
bounded = settings(max_examples=60, deadline=None, derandomize=True, database=None)


@bounded
@given(networks, st.sampled_from(["float32", "float64"]), st.integers(1, 9))
def test_finite_input_trains_to_finite_numbers(config, dtype, n):
    net = network(**config, dtype=dtype)
    train = examples(n)
    for record in net.train(train, train):
        assert all(np.isfinite(value) for value in record.values())
        assert 0 <= record["accuracy"] <= 1
    assert np.isfinite(net.theta).all()
    p = net.predict_proba(train[0])
    assert (p >= 0).all()
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-6)


@bounded
@given(networks, st.sampled_from(["float32", "float64"]), st.sampled_from([1e2, 1e4]))
def test_large_inputs_do_not_overflow(config, dtype, scale):
    net = network(**config, dtype=dtype)
    images, labels = examples(9)
    images = scale * (2 * images - 1)
    assert np.isfinite(net.backpropagate(images, labels))
    assert np.isfinite(net.gradient).all()
    np.testing.assert_allclose(net.predict_proba(images).sum(axis=1), 1, rtol=1e-6)


@bounded
@given(networks, st.integers(1, 9))
def test_the_gradient_is_that_of_differences(config, n):
    net = network(**config, dtype="float64")
    for b in net.biases.values():
        b[...] = np.random.default_rng(3).normal(0, 0.1, b.shape)
    images, labels = examples(n)
    net.backpropagate(images, labels)
    gradient = net.gradient.copy()
    rng = np.random.default_rng(8)
    for _ in range(100):
        direction = random_direction(net, net.theta, rng)
        if (derivative := slope(net, direction, images, labels)) is not None:
            assert gradient @ direction == pytest.approx(derivative, rel=1e-7, abs=1e-9)
            return
    assume(False)  # each direction crosses a kink


@bounded
@given(networks, st.randoms(use_true_random=False))
def test_permuting_a_batch_changes_the_gradient_by_rounding_alone(config, random):
    net = network(**config, dtype="float64")
    images, labels = examples(9)
    loss = net.backpropagate(images, labels)
    gradient = net.gradient.copy()
    order = random.sample(range(9), 9)
    assert net.backpropagate(images[order], labels[order]) == pytest.approx(loss, rel=1e-13)
    assert np.linalg.norm(net.gradient - gradient) <= 1e-13 * np.linalg.norm(gradient)


# ---- what the core imports


@pytest.mark.kernel
def test_importing_the_core_brings_in_only_numpy_and_itself():
    """And what it has brought in names nothing else: what is imported within functions is optional, and ours."""
    script = """
import sys
before = set(sys.modules)
import nn_core
print(*(name for name in set(sys.modules) - before if getattr(sys.modules[name], "__file__", None)))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    brought = {name for name in done.stdout.split() if name.partition(".")[0] not in sys.stdlib_module_names}
    own = {name for name in brought if not name.startswith("numpy")}
    assert own > {"nn_core", "activations", "losses", "optimizers", "backends", "backends.plain"}
    top = {name.partition(".")[0] for name in own}
    assert top == {"nn_core", "activations", "losses", "optimizers", "ingredients", "backends", "common"}
    for name in own:
        path = ROOT / name.replace(".", "/")
        tree = ast.parse(
            next(p for p in (path.with_suffix(".py"), path / "__init__.py") if p.exists()).read_text("utf-8")
        )
        named = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        named |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        assert {imported.partition(".")[0] for imported in named} <= sys.stdlib_module_names | {"numpy"} | top
