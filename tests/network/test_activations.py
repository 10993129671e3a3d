"""Every activation in the dictionary: its values against a table and PyTorch, its gradient against differences."""

import numpy as np
import pytest

from activations import ACTIVATIONS, LEAK

AT_ONE = {  # name: (g(1), g(-1)), from the definitions to 16 digits, worked out apart from the code
    "identity": (1.0, -1.0),
    "sigmoid": (0.7310585786300049, 0.2689414213699951),  # 1 / (1 + 1/e), 1 / (1 + e)
    "tanh": (0.7615941559557649, -0.7615941559557649),
    "relu": (1.0, 0.0),
    "leaky_relu": (1.0, -0.01),
    "elu": (1.0, -0.6321205588285577),  # 1/e - 1
    "gelu": (0.8411919906082768, -0.1588080093917232),  # √(2/π) (1 + 0.044715) = 0.8335624..., its tanh 0.6823839...
    "silu": (0.7310585786300049, -0.2689414213699951),  # sigmoid(1), -sigmoid(-1)
}

AT_ZERO = {"relu": 0.0, "leaky_relu": LEAK, "elu": 1.0}  # the slope that is chosen where there is a kink

SMALL = np.array([0.004, 0.01, 0.1, 0.3, 1.0, 1.7, 2.5, 4.0, 7.0])
LARGE = np.array([20.0, 90.0, 710.0, 1e4, 1e6])  # exp(710) is too large for float64, exp(90) for float32
POINTS = np.concatenate([-LARGE, -SMALL, SMALL, LARGE])

each_activation = pytest.mark.parametrize("name", ACTIVATIONS)


def call(name, a):
    """h and its gradient at a."""
    activation = ACTIVATIONS[name]
    h = activation.function(a)
    return h, activation.gradient(a, h)


@each_activation
def test_values_at_plus_and_minus_one(name):
    if name not in AT_ONE:
        pytest.skip(f"activation {name!r} has no values worked out apart: add g(1) and g(-1) to AT_ONE")
    h, _ = call(name, np.array([1.0, -1.0]))
    np.testing.assert_allclose(h, AT_ONE[name], rtol=1e-15)


@each_activation
def test_gradient_by_central_differences(name):
    """Five points, step 0.001 |a|: an error of order step⁴, and no stencil reaches the kinks, which all lie at 0."""
    g = ACTIVATIONS[name].function
    step = 1e-3 * np.abs(POINTS)
    numeric = (g(POINTS - 2 * step) - 8 * g(POINTS - step) + 8 * g(POINTS + step) - g(POINTS + 2 * step)) / (12 * step)
    np.testing.assert_allclose(call(name, POINTS)[1], numeric, rtol=1e-9, atol=1e-9)


@each_activation
def test_function_and_gradient_against_pytorch(name, torch):
    oracles = {
        "identity": torch.nn.Identity(),
        "sigmoid": torch.nn.Sigmoid(),
        "tanh": torch.nn.Tanh(),
        "relu": torch.nn.ReLU(),
        "leaky_relu": torch.nn.LeakyReLU(0.01),
        "elu": torch.nn.ELU(),
        "gelu": torch.nn.GELU(approximate="tanh"),
        "silu": torch.nn.SiLU(),
    }
    if name not in oracles:
        pytest.skip(f"activation {name!r} has no oracle in PyTorch: add one")
    a = torch.from_numpy(POINTS).requires_grad_()
    expected = oracles[name](a)
    expected.sum().backward()
    h, gradient = call(name, POINTS)
    np.testing.assert_allclose(h, expected.detach(), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(gradient, a.grad, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("name", "slope"), AT_ZERO.items())
def test_the_slope_at_a_kink_is_the_documented_one(name, slope):
    assert call(name, np.zeros(1))[1] == slope


@each_activation
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_large_arguments_give_finite_numbers_of_the_same_type(name, dtype):
    a = POINTS.astype(dtype).reshape(2, -1)
    before = a.copy()
    for result in call(name, a):  # an overflow would raise: pytest turns RuntimeWarning into an error
        assert result.shape == a.shape
        assert result.dtype == dtype
        assert np.isfinite(result).all()
    assert np.array_equal(a, before)
