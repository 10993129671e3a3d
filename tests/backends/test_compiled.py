"""The compiled kernels: each against the plain form, which has oracles of its own; and that they are optional."""

import gc
import os
import subprocess
import sys
import weakref
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from activations import ACTIVATIONS
from backends.folded import FOLDED
from backends.plain import Plain
from losses import LOSSES
from nn_core import NeuralNetwork
from optimizers import OPTIMIZERS, Optimizer

pytest.importorskip("numba", reason="numba, the optional extra, is not installed")
from backends import compiled as kernels

ROOT = Path(kernels.__file__).parents[1]
bounded = settings(max_examples=60, deadline=None, derandomize=True, database=None)
numbers = st.floats(-1e4, 1e4, width=32)
SMALLEST = float(np.finfo(np.float32).tiny)  # what is smaller may become zero in either form


def both(activation="tanh", loss="cross_entropy", optimizer="sgd", **hyper):
    """The compiled form and the plain one, each with an optimizer of its own."""
    return [
        form(ACTIVATIONS[activation], LOSSES[loss], form.form_of(OPTIMIZERS[optimizer])(**hyper))
        for form in (kernels.Compiled, Plain)
    ]


def layers(*more):
    """Arrays (B, n) and (n,) of any small shape, and as many more of the first shape."""
    shapes = st.tuples(st.integers(1, 33), st.integers(1, 33))
    return shapes.flatmap(
        lambda s: st.tuples(arrays("f4", s, elements=numbers), arrays("f4", s[1], elements=numbers), *[
            arrays("f4", s, elements=numbers) for _ in more
        ])
    )  # fmt: skip


@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "relu"])
def test_the_usual_activations_and_optimizers_are_compiled(activation):
    assert both(activation)[0]._passes is kernels.PASSES[ACTIVATIONS[activation].function]
    usual = ("sgd", "mgd", "nag", "rmsprop", "adam", "nadam")
    assert {kernels.Compiled.form_of(OPTIMIZERS[name]) for name in usual} == kernels.STEPS.keys()


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_passes_over_a_layer(activation):
    @bounded
    @given(layers("delta"))
    def check(drawn):
        a, b, delta = drawn
        compiled, plain = both(activation)
        found, wanted = a.copy(), a.copy()
        h, expected = compiled.activate(found, b), plain.activate(wanted, b)
        np.testing.assert_allclose(h, expected, rtol=1e-6, atol=2.5e-7)
        deltas, sums = [delta.copy(), delta.copy()], [np.empty_like(b), np.empty_like(b)]
        compiled.differentiate(deltas[0], found, h, sums[0])
        plain.differentiate(deltas[1], wanted, expected, sums[1])
        scale = np.abs(delta).max() + SMALLEST
        np.testing.assert_allclose(deltas[0] / scale, deltas[1] / scale, atol=5e-7)
        np.testing.assert_allclose(sums[0] / scale / len(a), sums[1] / scale / len(a), atol=1e-6)

    check()


@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "relu"])
def test_activations_over_their_whole_range(activation):
    """Against NumPy in float64: an error of a few units in the last digit of 1, in which all of them end up."""
    a = np.linspace(-120, 120, 100_001, dtype=np.float32)[np.newaxis]
    compiled, _ = both(activation)
    expected = ACTIVATIONS[activation].function(a.astype(float))
    np.testing.assert_allclose(compiled.activate(a.copy(), np.zeros(a.size, "f4")), expected, rtol=1e-7, atol=2e-7)


@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "relu"])
def test_small_numbers_keep_their_digits(activation):
    a = np.geomspace(1e-30, 1, 1001, dtype=np.float32)[np.newaxis]
    a = np.concatenate([a, -a])
    compiled, _ = both(activation)
    expected = ACTIVATIONS[activation].function(a.astype(float))
    np.testing.assert_allclose(compiled.activate(a.copy(), np.zeros(a.shape[1], "f4")), expected, rtol=5e-7)


@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "relu"])
def test_what_is_not_a_number_stays_so(activation):
    compiled, _ = both(activation)
    a = np.array([[np.nan, 1, -np.inf, np.inf]], np.float32)
    limits = ACTIVATIONS[activation].function(a.astype(float))
    found = compiled.activate(a.copy(), np.zeros(4, "f4"))
    np.testing.assert_allclose(found[0, [0, 2, 3]], limits[0, [0, 2, 3]], atol=1e-37)


@bounded
@given(st.integers(1, 40).flatmap(lambda n: arrays("f4", (n, 10), elements=numbers)), st.integers(0, 9))
def test_cross_entropy(a, label):
    compiled, plain = both()
    y = np.eye(10, dtype=np.float32)[(np.arange(len(a)) + label) % 10]
    (loss, delta), (expected, wanted) = compiled.loss(a, y), plain.loss(a.astype(float), y.astype(float))
    assert loss == pytest.approx(expected, rel=1e-6, abs=1e-6)
    np.testing.assert_allclose(delta * len(a), wanted * len(a), atol=1e-6)


def test_cross_entropy_of_what_is_not_finite_is_not_finite():
    for value in (np.nan, np.inf):
        a = np.zeros((3, 10), np.float32)
        a[1, 2] = value
        assert not np.isfinite(both()[0].loss(a, np.eye(10, dtype=np.float32)[:3])[0])


@pytest.mark.parametrize("l2", [0.0, 0.01])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_thousand_steps_beside_the_plain_form(name, l2):
    """On the same gradients: θ, loss and gradient, L2 term included; plain in float32, and the rule in float64."""
    rng = np.random.default_rng(3)
    start, n, weights = rng.normal(size=300), 300, slice(250)
    forms = {"compiled": np.float32, "plain": np.float32, "exact": np.float64}
    made = {}
    for form, dtype in forms.items():
        kind = kernels.Compiled if form == "compiled" else Plain
        optimizer = (OPTIMIZERS[name] if form == "exact" else kind.form_of(OPTIMIZERS[name]))(learning_rate=1e-3)
        made[form] = kind(ACTIVATIONS["tanh"], LOSSES["cross_entropy"], optimizer), start.astype(dtype)
        optimizer.prepare(made[form][1], weights)
    for _ in range(1000):
        gradient = rng.normal(0.2, 1, n).astype(np.float32)
        found = {}
        for form, (backend, theta) in made.items():
            g = gradient.astype(theta.dtype)
            found[form] = backend.step(theta, g, 1.5, weights, l2), g
        assert found["compiled"][0] == pytest.approx(found["exact"][0], rel=3e-6)
        np.testing.assert_allclose(found["compiled"][1], found["exact"][1], rtol=1e-5, atol=1e-6)
    exact = made["exact"][1]
    if not {OPTIMIZERS[name], kernels.Compiled.form_of(OPTIMIZERS[name])} & (kernels.STEPS.keys() | FOLDED.keys()):
        assert np.array_equal(made["compiled"][1], made["plain"][1])  # it has no form but the one that is written
        return  # which float32 may part from the exact: a rule that takes signs does, where they are those of rounding
    assert np.linalg.norm(made["compiled"][1] - exact) < 3e-6 * np.linalg.norm(exact)  # 2⁻²⁴ √1000 are by chance alone
    assert np.linalg.norm(made["compiled"][1] - made["plain"][1]) < 3e-6 * np.linalg.norm(exact)


# ---- choosing


def test_kernels_are_taken_where_they_are_and_only_for_float32():
    assert NeuralNetwork().backend == "numba"
    assert NeuralNetwork(backend="numpy").backend == "numpy"
    assert NeuralNetwork(dtype="float64").backend == "numpy"
    assert NeuralNetwork().config["backend"] == "auto"


def test_without_numba_all_is_plain_and_asking_for_it_is_refused(monkeypatch):
    monkeypatch.setitem(sys.modules, "backends.compiled", None)
    assert NeuralNetwork().backend == "numpy"
    with pytest.raises(ValueError, match=r"^backend='numba': it cannot be imported .* install numba\.$"):
        NeuralNetwork(backend="numba")


def test_a_network_saved_with_kernels_is_read_without_them(monkeypatch, tmp_path):
    images = np.random.default_rng(0).random((5, 784))
    net = NeuralNetwork(backend="numba")
    expected = net.predict_proba(images)  # before its module is hidden, or numba would keep a broken kernel on disk
    net.save(tmp_path / "net.npz")
    monkeypatch.setitem(sys.modules, "backends.compiled", None)
    loaded = NeuralNetwork.load(tmp_path / "net.npz")
    assert loaded.backend == "numpy"
    np.testing.assert_allclose(loaded.predict_proba(images), expected, rtol=1e-5)


def test_a_network_is_gone_as_soon_as_nobody_holds_it():
    """Its block of memory is large: it must not wait for the garbage collector, which counts objects."""
    gc.disable()
    try:
        net = NeuralNetwork(backend="numba")
        optimizer = weakref.ref(net.optimizer)
        del net
        assert optimizer() is None
    finally:
        gc.enable()


def test_whole_numbers_compile_no_rule_anew():
    for setting in ({"weight_decay": 0}, {"weight_decay": 0.5}, {"learning_rate": 1}):
        net = NeuralNetwork(backend="numba", optimizer="sgd", max_epochs=1, **setting)
        list(net.train((np.zeros((2, 784), np.uint8), np.zeros(2, int))))
    assert len(kernels.STEPS[OPTIMIZERS["sgd"]][0].signatures) == 1


def test_a_new_rule_keeps_its_plain_form(monkeypatch):
    class Signed(Optimizer):
        def step(self, theta, gradient, loss):
            theta -= self.learning_rate * np.sign(gradient)

    monkeypatch.setitem(NeuralNetwork.OPTIMIZERS, "signed", Signed)
    rng = np.random.default_rng(0)
    images, labels = rng.random((40, 784)), rng.integers(0, 10, 40)
    thetas = []
    for backend in ("numpy", "numba"):
        net = NeuralNetwork(optimizer="signed", activation="gelu", weight_decay=0.01, max_epochs=2, backend=backend)
        list(net.train((images, labels)))
        thetas.append(net.theta)
    np.testing.assert_allclose(*thetas, atol=1e-5)


@pytest.mark.kernel
def test_a_folder_that_cannot_be_written_costs_the_cache_and_no_more(tmp_path):
    """numba finds no place for its cache where neither the module's folder nor the user's is one."""
    script = "import nn_core; print(nn_core.NeuralNetwork().backend)"
    (tmp_path / "file").touch()
    environment = {"PYTHONPATH": str(ROOT), "NUMBA_CACHE_DIR": str(tmp_path / "file" / "no")}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    assert done.stdout == "numba\n", done.stderr


@pytest.mark.kernel
def test_a_kernel_computes_the_same_bits_fresh_from_the_compiler_and_from_disk(tmp_path):
    """A function that a kernel calls, instead of holding it inlined, is linked differently in the two cases."""
    script = """if True:
        import test_digests
        from backends import compiled
        print({name: test_digests.train("numba", **config) for name, config in test_digests.NETWORKS.items()})
        print(sum(compiled._cross_entropy.stats.cache_hits.values()))"""
    path = os.pathsep.join(map(str, (ROOT, ROOT / "tests" / "network")))
    environment = os.environ | {"PYTHONPATH": path, "NUMBA_CACHE_DIR": str(tmp_path)}
    results = []
    for hits in (0, 1):
        done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        digests, found = done.stdout.splitlines()
        assert int(found) == hits
        results.append(digests)
    assert results[0] == results[1]
