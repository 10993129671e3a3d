"""The compiled kernels: each against the plain form, which has oracles of its own; and that they are optional."""

import ctypes
import ctypes.util
import errno
import gc
import importlib.util
import os
import signal
import subprocess
import sys
import weakref
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import nn_core
from activations import ACTIVATIONS
from backends import threads
from backends.folded import FOLDED
from backends.plain import Plain
from ingredients.normalization import Batch, Layer
from losses import LOSSES
from nn_core import Diverged, NeuralNetwork
from optimizers import OPTIMIZERS, Optimizer

pytest.importorskip("numba", reason="numba, the optional extra, is not installed")
import numba
from numba.core.caching import IndexDataCacheFile

from backends import blas, compiled, kernels

pytestmark = pytest.mark.numba
ROOT = Path(compiled.__file__).parents[1]
bounded = settings(max_examples=60, deadline=None, derandomize=True, database=None)
numbers = st.floats(-1e4, 1e4, width=32)
SMALLEST = float(np.finfo(np.float32).tiny)  # what is smaller may become zero in either form


def both(activation="tanh", loss="cross_entropy", optimizer="sgd", **hyper):
    """The compiled form and the plain one, each with an optimizer of its own."""
    return [
        form(ACTIVATIONS[activation], LOSSES[loss], form.form_of(OPTIMIZERS[optimizer])(**hyper))
        for form in (compiled.Compiled, Plain)
    ]


def layers(*more):
    """Arrays (B, n) and (n,) of any small shape, and as many more of the first shape."""
    shapes = st.tuples(st.integers(1, 33), st.integers(1, 33))
    return shapes.flatmap(
        lambda s: st.tuples(arrays("f4", s, elements=numbers), arrays("f4", s[1], elements=numbers), *[
            arrays("f4", s, elements=numbers) for _ in more
        ])
    )  # fmt: skip


@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "relu", "gelu", "silu"])
def test_the_usual_activations_and_optimizers_are_compiled(activation):
    assert ACTIVATIONS[activation].function in compiled.ACTIVATIONS
    usual = ("sgd", "mgd", "nag", "rmsprop", "adam", "nadam", "adamw")
    assert {compiled.Compiled.form_of(OPTIMIZERS[name]) for name in usual} == compiled.STEPS.keys()


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
        exact = [values.astype(float) for values in (delta, a + b, b)]
        plain.differentiate(exact[0], exact[1], plain.activation.function(exact[1]), exact[2])
        deltas[1], sums[1] = exact[0], exact[2]
        scale = np.abs(delta).max() + SMALLEST
        np.testing.assert_allclose(deltas[0] / scale, deltas[1] / scale, atol=5e-7)
        np.testing.assert_allclose(sums[0] / scale / len(a), sums[1] / scale / len(a), atol=1e-6)

    check()


@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "relu", "gelu", "silu"])
def test_activations_over_their_whole_range(activation):
    """Against NumPy in float64: an error of a few units in the last digit, or in that of 1."""
    a = np.linspace(-120, 120, 100_001, dtype=np.float32)[np.newaxis]
    compiled, _ = both(activation)
    expected = ACTIVATIONS[activation].function(a.astype(float))
    np.testing.assert_allclose(compiled.activate(a.copy(), np.zeros(a.size, "f4")), expected, rtol=2e-7, atol=2e-7)


@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "relu", "gelu", "silu"])
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


@pytest.mark.parametrize("activation", ["gelu", "silu"])
def test_a_gate_lets_what_is_not_finite_through(activation):
    compiled, _ = both(activation)
    a = np.array([[np.nan, 1, -np.inf, np.inf]], np.float32)
    assert np.isfinite(compiled.activate(a, np.zeros(4, "f4"))).tolist() == [[False, True, False, False]]


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
        kind = compiled.Compiled if form == "compiled" else Plain
        rule = OPTIMIZERS[name] if form == "exact" else kind.form_of(OPTIMIZERS[name])
        optimizer = rule(learning_rate=1e-3, **{"weight_decay": 0.1} if "weight_decay" in rule.setting_names() else {})
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
    if not {OPTIMIZERS[name], compiled.Compiled.form_of(OPTIMIZERS[name])} & (compiled.STEPS.keys() | FOLDED.keys()):
        assert np.array_equal(made["compiled"][1], made["plain"][1])  # it has no form but the one that is written
        return  # which float32 may part from the exact: a rule that takes signs does, where they are those of rounding
    assert np.linalg.norm(made["compiled"][1] - exact) < 3e-6 * np.linalg.norm(exact)  # 2⁻²⁴ √1000 are by chance alone
    assert np.linalg.norm(made["compiled"][1] - made["plain"][1]) < 3e-6 * np.linalg.norm(exact)


@pytest.mark.parametrize("activation", ["gelu", "tanh", "elu"])
@pytest.mark.parametrize("normalization", [None, Batch, Layer], ids=["none", "batch", "layer"])
@pytest.mark.parametrize("rate", [0.0, 0.4])
def test_a_hidden_layer_with_ingredients(activation, normalization, rate):
    """Both passes, γ's gradient and running statistics: in float32, and plain in float64, with the same masks."""

    @bounded
    @given(st.just(1) | st.integers(8, 40), st.integers(2, 40), st.integers(0, 9))
    def check(n, width, seed):
        rng, found = np.random.default_rng(seed), []
        z, delta = rng.normal(3, 2, (n, width)), rng.normal(size=(n, width))
        b, gain = rng.normal(size=width), rng.normal(1, 0.2, width)
        for backend, dtype in zip(both(activation), (np.float32, np.float64), strict=True):
            dgain, running, db = np.zeros(width, dtype), np.ones((2, width), dtype), np.empty(width, dtype)
            norm = normalization and normalization(gain.astype(dtype), dgain, running)
            hidden = backend.hidden(backend, norm, rate, np.random.default_rng(seed))
            a, change = z.astype(dtype), delta.astype(dtype)
            h = hidden.activate(a, b.astype(dtype))
            hidden.differentiate(change, a, h, db)
            found.append((h, change, db / n, dgain / n, running))
        for kernel, plain in zip(*found, strict=True):
            np.testing.assert_allclose(kernel, plain, rtol=1e-4, atol=1e-4)

    check()


def test_a_step_with_ingredients_leads_where_the_plain_one_does():
    config = dict(normalization="batch", dropout=0.4, activation="gelu", optimizer="adamw", label_smoothing=0.1)
    (records, net), (expected, plain) = (train(whole=False, backend=name, **config) for name in ("numba", "numpy"))
    for record, wanted in zip(records, expected, strict=True):
        assert record == pytest.approx(wanted, rel=1e-3, abs=1 / 70)
    assert np.linalg.norm(net.theta - plain.theta) < 1e-3 * np.linalg.norm(plain.theta)


# ---- choosing


def test_kernels_are_taken_where_they_are_and_only_for_float32():
    assert NeuralNetwork().backend == "numba"
    assert NeuralNetwork(backend="numpy").backend == "numpy"
    assert NeuralNetwork(dtype="float64").backend == "numpy"
    assert NeuralNetwork().config["backend"] == "auto"


def test_without_numba_all_is_plain_and_asking_for_it_is_refused(monkeypatch):
    monkeypatch.setitem(sys.modules, "numba", None)
    assert NeuralNetwork().backend == "numpy"
    with pytest.raises(ValueError, match=r"^backend='numba': it cannot be imported .* install numba\.$"):
        NeuralNetwork(backend="numba")


def test_a_broken_numba_is_passed_over_with_a_word(monkeypatch, tmp_path):
    (tmp_path / "numba.py").write_text("raise ImportError('it needs another NumPy')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "numba")
    with pytest.warns(UserWarning, match=r"^numba is installed and cannot be imported \(it needs another NumPy\)"):
        assert NeuralNetwork().backend == "numpy"


def test_a_fault_in_a_backend_of_ours_is_not_passed_over(monkeypatch):
    monkeypatch.setitem(sys.modules, "backends.compiled", None)
    with pytest.raises(ImportError, match=r"backends\.compiled"):
        NeuralNetwork()


def test_a_network_saved_with_kernels_is_read_without_them(monkeypatch, tmp_path):
    images = np.random.default_rng(0).random((5, 784))
    net = NeuralNetwork(backend="numba")
    expected = net.predict_proba(images)  # before its module is hidden, or numba would keep a broken kernel on disk
    net.save(tmp_path / "net.npz")
    monkeypatch.setitem(sys.modules, "numba", None)
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


def test_steps_are_compiled_once_whatever_they_are_given():
    pixels = np.zeros((4, 784), np.uint8)
    mapped = np.broadcast_to(pixels, pixels.shape)  # read-only, as a mapped file is
    assert not mapped.flags.writeable
    for images in (pixels, pixels / 255, np.asfortranarray(pixels), pixels[::2], mapped):
        for setting in ({"weight_decay": 0}, {"optimizer": "adam", "batch_size": np.int32(3)}, {"learning_rate": 1}):
            net = NeuralNetwork(**{"optimizer": "sgd", "max_epochs": 1} | setting)
            list(net.train((images, np.zeros(len(images), np.uint8))))
            assert net.compiled
    assert len(kernels.steps.signatures) == 1


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


@pytest.mark.long
@pytest.mark.kernel
def test_a_kernel_computes_the_same_bits_fresh_from_the_compiler_and_from_disk(tmp_path):
    """A function that a kernel calls, instead of holding it inlined, is linked differently in the two cases."""
    script = """if True:
        import test_digests
        from backends import kernels
        print({name: test_digests.train("numba", **config) for name, config in test_digests.NETWORKS.items()})
        print(sum(kernels.steps.stats.cache_hits.values()))"""
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


# ---- whole steps


def train(images=None, whole=True, epochs=2, **config):
    """Its records without times, and the network, after some epochs on random images."""
    rng = np.random.default_rng(7)
    images = rng.random((70, 6), np.float32) if images is None else images
    net = NeuralNetwork(inputs=6, classes=3, seed=1, **{"threads": 1} | config)
    net._backend.whole = net._backend.whole and whole
    assert net.compiled == (whole and config.get("backend") != "numpy")
    records = list(net.train((images, rng.integers(0, 3, len(images))), max_epochs=epochs))
    return [{name: value for name, value in record.items() if name != "seconds"} for record in records], net


configurations = st.fixed_dictionaries(
    {
        "num_hidden_neurons": st.lists(st.integers(1, 20), max_size=4),
        "activation": st.sampled_from(["tanh", "sigmoid", "relu"]),
        "optimizer": st.sampled_from(["sgd", "mgd", "nag", "rmsprop", "adam", "nadam", "adamw"]),
        "batch_size": st.integers(1, 80),
        "weight_decay": st.sampled_from([0, 0.01]),
        "initializer": st.sampled_from(["xavier", "he"]),
    }
)


@bounded
@given(configurations)
def test_whole_steps_lead_where_plain_ones_do(config):
    (records, net), (expected, plain) = train(**config), train(**config, backend="numpy")
    for record, wanted in zip(records, expected, strict=True):
        assert record == pytest.approx(wanted, rel=1e-3, abs=1 / 70)
    assert np.linalg.norm(net.theta - plain.theta) < 1e-3 * np.linalg.norm(plain.theta)
    assert net.optimizer.t == plain.optimizer.t


@pytest.mark.parametrize("batch_size", [1, 3, 32, 100])
def test_whole_steps_lead_where_the_same_kernels_do_one_by_one(batch_size):
    """And leave the gradient of the last batch, which a notebook may look at."""
    (records, net), (expected, other) = (train(whole=whole, batch_size=batch_size) for whole in (True, False))
    for record, wanted in zip(records, expected, strict=True):
        assert record == pytest.approx(wanted, rel=1e-6)
    np.testing.assert_allclose(net.theta, other.theta, atol=1e-6)
    np.testing.assert_allclose(net.gradient, other.gradient, atol=1e-6)


def test_pixels_are_read_wherever_they_lie():
    pixels = np.random.default_rng(0).integers(0, 256, (70, 6), np.uint8)
    expected, _ = train(pixels)
    for images in (np.asfortranarray(pixels), np.repeat(pixels, 2, axis=0)[::2]):
        assert train(images)[0] == expected
    assert train(pixels / 255)[0][0]["loss"] == pytest.approx(expected[0]["loss"], rel=1e-6)


@pytest.mark.parametrize("rate", [1e20, 1e38])
def test_a_loss_that_is_no_longer_finite_ends_whole_steps_where_it_ends_others(rate):
    said, counts = [], []
    for whole in (True, False):
        net = NeuralNetwork(optimizer="mgd", learning_rate=rate, batch_size=2, inputs=6, activation="relu")
        net._backend.whole = whole
        images = np.random.default_rng(2).random((40, 6))
        with pytest.raises(Diverged) as raised:
            list(net.train((images, np.arange(40) % 10)))
        said.append(str(raised.value))
        counts.append((net.epoch, net.optimizer.t))
    assert said[0] == said[1]
    assert " in step " in said[0]
    assert counts[0] == counts[1]


def test_a_rule_that_counts_its_steps_counts_those_that_were_done():
    rng = np.random.default_rng(2)
    net = NeuralNetwork(optimizer="adam", batch_size=2, inputs=6)
    net.theta[:] = np.nan
    with pytest.raises(Diverged, match="in step 1 of"):
        list(net.train((rng.random((40, 6)), np.arange(40) % 10)))
    assert net.optimizer.t == 1


def test_an_interrupt_is_heard_between_chunks(monkeypatch):
    """SIGINT arrives during the second of four; Python has it as soon as that has ended, and threads are as before."""
    before, sizes = threads.allowed(), []
    net = NeuralNetwork(inputs=6, batch_size=10, threads=before + 1)
    steps = net._backend.steps

    def interrupted(*arguments):
        sizes.append(len(arguments[-1]))
        if len(sizes) == 2:
            signal.raise_signal(signal.SIGINT)
        return steps(*arguments)

    monkeypatch.setattr(nn_core, "WORK", 25 * len(net.theta))
    monkeypatch.setattr(net._backend, "steps", interrupted)
    with pytest.raises(KeyboardInterrupt):
        list(net.train((np.zeros((80, 6)), np.zeros(80, int))))
    assert sizes == [20, 20]
    assert threads.allowed() == before


def test_a_chunk_is_so_much_work_and_no_more(monkeypatch):
    """A wide network is back in Python after fewer rows; one whose single step is more is not compiled whole."""
    n, sizes = len(NeuralNetwork(inputs=6).theta), []
    monkeypatch.setattr(nn_core, "WORK", 25 * n)
    net = NeuralNetwork(inputs=6, batch_size=10)
    steps = net._backend.steps
    monkeypatch.setattr(net._backend, "steps", lambda *a: sizes.append(len(a[-1])) or steps(*a))
    next(net.train((np.zeros((50, 6)), np.zeros(50, int))))
    assert sizes == [20, 20, 10]
    assert not NeuralNetwork(inputs=6, batch_size=26).compiled


@pytest.mark.parametrize("change", [{"loss": "squared_error"}, {"activation": "gelu"}])
def test_what_has_no_compiled_form_takes_steps_one_by_one(change):
    assert NeuralNetwork().compiled
    assert not NeuralNetwork(**change).compiled
    assert not NeuralNetwork(backend="numpy").compiled


# ---- NumPy's BLAS


def test_it_is_the_one_that_numpy_loaded():
    assert blas.find() is not None


@pytest.mark.parametrize("others", [[], ["a.so", "b.so"], [ctypes.util.find_library("m")]], ids=["no", "two", "not a"])
def test_without_a_blas_that_can_be_called_steps_are_done_one_by_one(monkeypatch, others):
    monkeypatch.setattr(blas, "threadpool_info", lambda: [{"user_api": "blas", "filepath": path} for path in others])
    assert blas.find.__wrapped__() is None
    monkeypatch.setattr(blas, "find", lambda: None)
    net = NeuralNetwork(inputs=6)
    assert not net.compiled
    list(net.train((np.zeros((4, 6)), np.zeros(4, int)), max_epochs=1))


@bounded
@given(st.tuples(*[st.integers(1, 9).map(lambda n: 16 * n)] * 3), st.booleans(), st.booleans(), st.integers(0, 2000))
def test_a_product_is_that_of_numpy_in_pieces_too(shape, a_turned, b_turned, small):
    rng, (m, n, inner) = np.random.default_rng(0), shape
    a, b = rng.normal(size=(m, inner)).astype("f4"), rng.normal(size=(inner, n)).astype("f4")
    given = np.ascontiguousarray(a.T) if a_turned else a, np.ascontiguousarray(b.T) if b_turned else b
    found = np.empty((m, n), np.float32)
    product(blas.find()._replace(small=100 * small), given[0], a_turned, given[1], b_turned, found)
    np.testing.assert_allclose(found, a.dot(b), atol=1e-4)


@numba.njit
def product(blas, a, a_turned, b, b_turned, c):
    kernels.multiply(blas, a, a_turned, b, b_turned, c)


def test_one_of_integers_of_32_bits_is_called_as_well(monkeypatch):
    """As conda's are. This one multiplies by NumPy, and counts how often it is asked."""
    calls = []

    def view(address, rows, columns, turned):
        matrix = np.ctypeslib.as_array(ctypes.cast(address, ctypes.POINTER(ctypes.c_float)), (rows, columns))
        return matrix.T if turned else matrix

    def multiply(order, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc):
        calls.append("sgemm")
        a = view(a, *((k, lda) if ta == blas.TRANSPOSED else (m, lda)), ta == blas.TRANSPOSED)
        b = view(b, *((n, ldb) if tb == blas.TRANSPOSED else (k, ldb)), tb == blas.TRANSPOSED)
        view(c, m, ldc, False)[:] = a @ b

    def combine(order, turned, m, n, alpha, a, lda, x, incx, beta, y, incy):
        calls.append("sgemv")
        a = view(a, n, lda, True) if order == blas.COLUMN_MAJOR else view(a, m, lda, False)
        view(y, 1, n, False)[:] = view(x, 1, m, False) @ a

    i, f, p = ctypes.c_int32, ctypes.c_float, ctypes.c_void_p
    theirs = [
        ctypes.CFUNCTYPE(None, i, i, i, i, i, i, f, p, i, p, i, f, p, i)(multiply),
        ctypes.CFUNCTYPE(None, i, i, i, i, f, p, i, p, i, f, p, i)(combine),
    ]
    expected = train(batch_size=23, epochs=1)[1].theta
    addresses = blas.Blas(*(ctypes.cast(function, p).value for function in theirs))
    monkeypatch.setattr(blas, "find", lambda: addresses)
    np.testing.assert_allclose(train(batch_size=23, epochs=1)[1].theta, expected, atol=1e-6)
    assert set(calls) == {"sgemm", "sgemv"}  # 70 rows: the last batch is of one


# ---- numba's cache


@pytest.fixture
def doubled(tmp_path, monkeypatch):
    """A function that imports a module of one kernel anew, as another process would, and returns the kernel."""
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    path = tmp_path / "small.py"
    path.write_text("from backends.kernels import compiled\n@compiled\ndef double(x):\n    return 2 * x\n")

    def load():
        spec = importlib.util.spec_from_file_location("small", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module.double

    return load


@pytest.mark.parametrize("ending", ["nbi", "nbc"])
@pytest.mark.parametrize("left", [0, 40])
def test_a_torn_cache_costs_a_line_and_is_mended(doubled, tmp_path, capsys, ending, left):
    assert doubled()(3) == 6
    [file] = tmp_path.glob(f"__pycache__/*.{ending}")
    file.write_bytes(file.read_bytes()[:left])
    assert doubled()(3) == 6
    assert "numba, double: what numba kept of it cannot be read" in capsys.readouterr().err
    again = doubled()
    assert again(3) == 6
    assert sum(again.stats.cache_hits.values()) == 1
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("ending", ["nbi", "nbc"])
def test_a_pipe_in_the_place_of_a_file_of_the_cache_is_not_waited_for(doubled, tmp_path, ending):
    assert doubled()(3) == 6
    [file] = tmp_path.glob(f"__pycache__/*.{ending}")
    file.unlink()
    os.mkfifo(file)
    assert doubled()(3) == 6
    again = doubled()
    assert again(3) == 6
    assert sum(again.stats.cache_hits.values()) == 1


def test_a_full_disk_costs_a_line(doubled, monkeypatch, capsys):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(IndexDataCacheFile, "_save_index", full)
    assert doubled()(3) == 6
    said = "numba, double: it cannot be kept for the next time ([Errno 28] No space left on device).\n"
    assert capsys.readouterr().err == said


@pytest.mark.kernel
def test_without_compiling_all_is_done_step_by_step():
    script = """if True:
        import numpy, nn_core
        net = nn_core.NeuralNetwork(inputs=6, num_hidden_neurons=3, max_epochs=1)
        list(net.train((numpy.zeros((4, 6)), numpy.zeros(4, int))))
        print(net.backend, net.compiled)"""
    environment = os.environ | {"NUMBA_DISABLE_JIT": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    assert done.stdout == "numba False\n", done.stderr
