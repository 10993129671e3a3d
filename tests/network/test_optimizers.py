"""Every optimizer in the dictionary: against steps worked out by hand, and against PyTorch."""

import numpy as np
import pytest

from nn_core import NeuralNetwork
from optimizers import OPTIMIZERS, Adam

each_optimizer = pytest.mark.parametrize("name", OPTIMIZERS)


# ---- by hand: settings, the gradients of two steps, θ after each. The first parameter is a weight, the second a bias.

START = [1.0, -2.0]

# η = 0.1
# step 1: θ = (1 - 0.1 · 0.5, -2 + 0.1 · 1) = (0.95, -1.9)
# step 2: θ = (0.95 - 0.1 · 0.2, -1.9 - 0.1 · 0.4) = (0.93, -1.94)
SGD = ({"learning_rate": 0.1}, [(0.5, -1.0), (0.2, 0.4)], [(0.95, -1.9), (0.93, -1.94)])

# η = 0.1, μ = 0.5
# step 1: u = g = (0.5, -1);                                    θ = (1 - 0.05, -2 + 0.1) = (0.95, -1.9)
# step 2: u = (0.25, -0.5) + (0.2, 0.4) = (0.45, -0.1);         θ = (0.95 - 0.045, -1.9 + 0.01) = (0.905, -1.89)
MOMENTUM = ({"learning_rate": 0.1, "momentum": 0.5}, [(0.5, -1.0), (0.2, 0.4)], [(0.95, -1.9), (0.905, -1.89)])

# η = 0.1, μ = 0.5, u as above
# step 1: g + μ u = (0.5 + 0.25, -1 - 0.5) = (0.75, -1.5);      θ = (1 - 0.075, -2 + 0.15) = (0.925, -1.85)
# step 2: g + μ u = (0.2 + 0.225, 0.4 - 0.05) = (0.425, 0.35);  θ = (0.925 - 0.0425, -1.85 - 0.035) = (0.8825, -1.885)
NESTEROV = ({"learning_rate": 0.1, "momentum": 0.5}, [(0.5, -1.0), (0.2, 0.4)], [(0.925, -1.85), (0.8825, -1.885)])

# η = 0.3, β = 3/4, ε = 1
# step 1: v = (4, 16) / 4 = (1, 4), √v + ε = (2, 3); θ = (1 - 0.3 · 2/2, -2 + 0.3 · 4/3) = (0.7, -1.6)
# step 2: v = (3/4 + 1/4, 3 + 4/4) = (1, 4) again;   θ = (0.7 - 0.3 · 1/2, -1.6 - 0.3 · 2/3) = (0.55, -1.8)
RMSPROP = ({"learning_rate": 0.3, "beta": 0.75, "epsilon": 1.0}, [(2.0, -4.0), (1.0, 2.0)], [(0.7, -1.6), (0.55, -1.8)])

# η = 0.6, β₁ = 1/2, β₂ = 3/4, ε = 1
# step 1: m̂ = g = (1, -3), √v̂ = |g| = (1, 3);                   θ = (1 - 0.6 · 1/2, -2 + 0.6 · 3/4) = (0.7, -1.55)
# step 2: m = (1/4 + 5/4, -3/4 + 3/2) = (3/2, 3/4);             m̂ = m / (1 - 1/4) = (2, 1)
#         v = (3/16 + 25/16, 27/16 + 36/16) = (28/16, 63/16);   v̂ = v / (1 - 9/16) = v · 16/7 = (4, 9)
#         θ = (0.7 - 0.6 · 2/3, -1.55 - 0.6 · 1/4) = (0.3, -1.7)
ADAM_SETTINGS = {"learning_rate": 0.6, "beta1": 0.5, "beta2": 0.75, "epsilon": 1.0}
ADAM_GRADIENTS = [(1.0, -3.0), (2.5, 3.0)]
ADAM = (ADAM_SETTINGS, ADAM_GRADIENTS, [(0.7, -1.55), (0.3, -1.7)])

# m, v and v̂ as in Adam, whose m̂ gives way to β₁ m / (1 - β₁ᵗ⁺¹) + (1 - β₁) g / (1 - β₁ᵗ)
# step 1: (1/2 · (1/2, -3/2) / (3/4)) + (1/2 · (1, -3) / (1/2)) = (1/3 + 1, -1 - 3) = (4/3, -4)
#         θ = (1 - 0.6 · 4/3 / 2, -2 + 0.6 · 4 / 4) = (0.6, -1.4)
# step 2: (1/2 · (3/2, 3/4) / (7/8)) + (1/2 · (5/2, 3) / (3/4)) = (6/7 + 5/3, 3/7 + 2) = (53/21, 17/7)
#         θ = (0.6 - 0.6 · 53/63, -1.4 - 0.6 · 17/28) = (3/5 - 53/105, -7/5 - 51/140) = (2/21, -247/140)
NADAM = (ADAM_SETTINGS, ADAM_GRADIENTS, [(0.6, -1.4), (2 / 21, -247 / 140)])

# Adam's steps are -0.3 and -0.4 on the weight; λ = 1/2 and η λ = 0.3 take three tenths off it before each.
# step 1: 1 - 0.3 - 0.3 = 0.4;   step 2: 0.4 - 0.12 - 0.4 = -0.12.   The bias goes as in Adam.
ADAMW = (ADAM_SETTINGS | {"weight_decay": 0.5}, ADAM_GRADIENTS, [(0.4, -1.55), (-0.12, -1.7)])

BY_HAND = {
    "sgd": SGD,
    "mgd": MOMENTUM,
    "momentum": MOMENTUM,
    "nag": NESTEROV,
    "nesterov": NESTEROV,
    "rmsprop": RMSPROP,
    "adam": ADAM,
    "nadam": NADAM,
    "adamw": ADAMW,
}


@each_optimizer
def test_two_steps_by_hand(name):
    if name not in BY_HAND:
        pytest.skip(f"optimizer {name!r} has no case worked out by hand: add one to BY_HAND")
    settings, gradients, expected = BY_HAND[name]
    theta = np.array(START)
    optimizer = OPTIMIZERS[name](**settings)
    optimizer.prepare(theta, weights=slice(1))
    for gradient, after in zip(gradients, expected, strict=True):
        optimizer.step(theta, np.array(gradient), loss=1.0)
        np.testing.assert_allclose(theta, after, rtol=1e-14)


# ---- against PyTorch, with settings that differ from its defaults and from ours

LAMBDA = 0.02
MOMENTS = {"beta1": 0.8, "beta2": 0.95, "epsilon": 1e-3}
TORCH_MOMENTS = {"betas": (0.8, 0.95), "eps": 1e-3}
IN_TORCH = {  # name: our settings, PyTorch's class, its settings
    "sgd": ({}, "SGD", {}),
    "mgd": ({"momentum": 0.7}, "SGD", {"momentum": 0.7}),
    "momentum": ({"momentum": 0.7}, "SGD", {"momentum": 0.7}),
    "nag": ({"momentum": 0.7}, "SGD", {"momentum": 0.7, "nesterov": True}),
    "nesterov": ({"momentum": 0.7}, "SGD", {"momentum": 0.7, "nesterov": True}),
    "rmsprop": ({"beta": 0.8, "epsilon": 1e-3}, "RMSprop", {"alpha": 0.8, "eps": 1e-3}),
    "adam": (MOMENTS, "Adam", TORCH_MOMENTS),
    # PyTorch has Dozat's schedule μₜ = β₁ (1 - 0.96^(t · momentum_decay) / 2): a large decay leaves μₜ = β₁, as ours.
    "nadam": (MOMENTS, "NAdam", TORCH_MOMENTS | {"momentum_decay": 1e6}),
    "adamw": (MOMENTS, "AdamW", TORCH_MOMENTS),
}


def settings_for(name):
    if name not in IN_TORCH:
        pytest.skip(f"optimizer {name!r} has no oracle in PyTorch: add one to IN_TORCH")
    return IN_TORCH[name]


@each_optimizer
def test_fifty_steps_of_a_network_against_pytorch(name, torch, twin, groups):
    """Weight decay included: PyTorch adds it to the gradient, the network to its loss (AdamW and ADAMW apart)."""
    settings, kind, torch_settings = settings_for(name)
    net = NeuralNetwork(
        inputs=12,
        classes=4,
        layers=2,
        num_hidden_neurons=9,
        activation="tanh",
        optimizer=name,
        learning_rate=0.03,
        weight_decay=LAMBDA,
        dtype="float64",
        **settings,
    )
    model = twin(net, torch.nn.Tanh())
    oracle = getattr(torch.optim, kind)(groups(model, LAMBDA), lr=0.03, **torch_settings)
    rng = np.random.default_rng(5)
    for _ in range(50):
        images, labels = rng.random((16, 12)), rng.integers(0, 4, 16)
        net.optimizer.step(net.theta, net.gradient, net.backpropagate(images, labels))
        oracle.zero_grad()
        torch.nn.functional.cross_entropy(model(torch.from_numpy(images)), torch.from_numpy(labels)).backward()
        oracle.step()
    for k, linear in enumerate(model[::2], 1):
        for ours, theirs in ((net.weights[k], linear.weight), (net.biases[k], linear.bias)):
            theirs = theirs.detach().numpy()
            assert np.abs(ours - theirs).max() < 1e-11 * np.abs(theirs).max()


@each_optimizer
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-13), ("float32", 3e-6)])
def test_thousand_steps_on_given_gradients_against_pytorch(name, dtype, tolerance, torch):
    """No network in between, so that nothing is amplified: a fast form stays with the textbook's to the last digits.

    In float32 θ itself is rounded a thousand times, which by chance alone adds up to 2⁻²⁴ √1000 = 2e-6.
    """
    settings, kind, torch_settings = settings_for(name)
    if name == "adamw":
        settings, torch_settings = settings | {"weight_decay": LAMBDA}, torch_settings | {"weight_decay": LAMBDA}
    rng = np.random.default_rng(6)
    start = rng.normal(size=200)
    theta = start.astype(dtype)
    optimizer = OPTIMIZERS[name](learning_rate=1e-3, **settings)
    optimizer.prepare(theta)
    parameter = torch.nn.Parameter(torch.from_numpy(theta.astype(float)))  # the oracle always has float64
    oracle = getattr(torch.optim, kind)([parameter], lr=1e-3, **torch_settings)
    for _ in range(1000):
        gradient = rng.normal(0.2, 1, theta.shape).astype(dtype)
        optimizer.step(theta, gradient, loss=1.0)
        parameter.grad = torch.from_numpy(gradient.astype(float))
        oracle.step()
    expected = parameter.detach().numpy()
    assert np.linalg.norm(expected - start) > 0.1 * np.linalg.norm(start)  # it has gone somewhere
    assert np.linalg.norm(theta - expected) < tolerance * np.linalg.norm(expected)


# ---- the contract


@each_optimizer
def test_a_step_changes_theta_in_place_and_nothing_else(name):
    theta, gradient = np.ones(5, np.float32), np.full(5, 0.5, np.float32)
    optimizer = OPTIMIZERS[name]()
    optimizer.prepare(theta)
    assert optimizer.step(theta, gradient, loss=1.0) is None
    assert theta.dtype == np.float32
    assert (theta < 1).all()
    assert (gradient == 0.5).all()


@each_optimizer
def test_it_prints_as_its_hyperparameters(name):
    optimizer = OPTIMIZERS[name](learning_rate=0.25)
    settings = ", ".join(f"{key}={value!r}" for key, value in optimizer.settings().items())
    assert repr(optimizer) == f"{type(optimizer).__name__}({settings})"
    assert optimizer.setting_names()[0] == "learning_rate"


def test_the_defaults_of_adam_are_those_of_the_paper():
    assert repr(Adam()) == "Adam(learning_rate=0.001, beta1=0.9, beta2=0.999, epsilon=1e-08)"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -0.1, True, "0.1", None, [0.1]], ids=repr)
@each_optimizer
def test_a_setting_that_is_no_number_in_range_is_refused(name, value):
    for setting in OPTIMIZERS[name].setting_names():
        with pytest.raises(ValueError, match=f"^{setting}=.*expects") as caught:
            OPTIMIZERS[name](**{setting: value})
        assert repr(value) in str(caught.value)


@each_optimizer
def test_a_rate_of_forgetting_is_below_one(name):
    for setting in {"momentum", "beta", "beta1", "beta2"} & set(OPTIMIZERS[name].setting_names()):
        with pytest.raises(ValueError, match=f"^{setting}=1.0: .*below 1"):
            OPTIMIZERS[name](**{setting: 1.0})
