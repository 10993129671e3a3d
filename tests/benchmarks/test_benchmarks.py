"""The benchmark: that every peer learns what it is timed for, and that both commands run, on a little of the data."""

import ast
import ctypes
import itertools
import json
import re
import subprocess
import sys
from contextlib import nullcontext
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar

import nbformat
import numpy as np
import pytest

import bench
import peers
from nn_core import NeuralNetwork

ROOT = Path(bench.__file__).parents[1]
# Not here: JAX, which only `make bench` installs, and torch.compile, which needs a C++ compiler.
NETWORKS = ["numpy", "numba", "course", "sklearn", "torch", "torch-fused"]
NEEDS = {"numba": "numba", "sklearn": "sklearn", "torch": "torch", "torch-fused": "torch"}


@pytest.fixture(autouse=True)
def one_thread(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def toy(n=1500):
    """Images of ten classes, each a pattern of its own under noise."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 10, n)
    patterns = rng.integers(0, 256, (10, 784))
    return (0.6 * patterns[labels] + 0.4 * rng.integers(0, 256, (n, 784))).astype(np.uint8), labels


@pytest.mark.parametrize(
    ("name", "workload"),
    [
        pytest.param(name, workload, marks=[pytest.mark.torch] * ("torch" in name))
        for name in NETWORKS
        for workload in ("W1", "W2", "W3", "W5")
        if peers.PEERS[name].takes(peers.WORKLOADS[workload])
    ],
)
def test_a_peer_learns(name, workload):
    if name in NEEDS and not find_spec(NEEDS[name]):
        pytest.skip(f"{NEEDS[name]} is not installed")
    images, labels = toy()
    wide = {"num_hidden_neurons": 128} if workload == "W5" else {}  # narrower than it is, for the test's time
    peer = peers.PEERS[name](replace(peers.WORKLOADS[workload], **wide), images, labels)
    losses = [peer.epoch() for _ in range(3)]
    assert losses[-1] < losses[0] < 3  # ours with the L2 term
    assert peer.predict(peers.pixels(images[:7])).shape == (7,)


@pytest.mark.parametrize(("layers", "width"), [(0, 1), (1, 8), (3, 16)])
def test_bare_products_are_those_of_the_network(layers, width, monkeypatch):
    """The floor that all is compared with: the same shapes as our network multiplies, neither more nor fewer."""
    workload = peers.Workload(layers, width, "relu", "sgd", 4, 0.0)
    peer = peers.Gemm(workload, *toy(10))
    shapes, matmul = [], np.matmul
    monkeypatch.setattr(np, "matmul", lambda a, b, out: shapes.append((a.shape, b.shape)) or matmul(a, b, out))
    peer.epoch()
    sizes = workload.sizes
    expected = []
    for batch in (4, 4, 2):
        pairs = list(itertools.pairwise(sizes))
        expected += [((batch, n_in), (n_in, n_out)) for n_in, n_out in pairs]  # h W
        expected += [((n_in, batch), (batch, n_out)) for n_in, n_out in pairs]  # hᵀ δ
        expected += [((batch, n_out), (n_out, n_in)) for n_in, n_out in pairs[1:]]  # δ Wᵀ
    assert sorted(shapes) == sorted(expected)


@pytest.mark.numba
@pytest.mark.skipif(not find_spec("numba"), reason="numba is not installed")
@pytest.mark.parametrize(("layers", "width"), [(0, 1), (1, 8), (3, 16)])
def test_compiled_ones_are_the_same_products(layers, width, monkeypatch):
    """Of which a function of C that multiplies nothing is told: m, n and k of each."""
    from backends import blas

    i, n, f, p = ctypes.c_int32, ctypes.c_int64, ctypes.c_float, ctypes.c_void_p
    shapes = []
    told = ctypes.CFUNCTYPE(None, i, i, i, n, n, n, f, p, n, p, n, f, p, n)(lambda *some: shapes.append(some[3:6]))
    functions = blas.Blas(ctypes.cast(told, p).value, 0)
    monkeypatch.setattr(blas, "find", lambda: functions)
    workload = peers.Workload(layers, width, "relu", "sgd", 4, 0.0)
    peers.Symbols(workload, *toy(10)).epoch()
    pairs = list(itertools.pairwise(workload.sizes))
    expected = []
    for batch in (4, 4, 2):
        expected += [(batch, n_out, n_in) for n_in, n_out in pairs]  # h W
        expected += [(n_in, n_out, batch) for n_in, n_out in pairs]  # hᵀ δ
        expected += [(batch, n_in, n_out) for n_in, n_out in pairs[1:]]  # δ Wᵀ
    assert sorted(shapes) == sorted(expected)


def test_the_chapter_names_peers_as_they_are():
    cells = nbformat.read(ROOT / "notebooks" / "06_benchmark.ipynb", as_version=4).cells
    [source] = [cell.source for cell in cells if cell.source.startswith("rivals = ")]
    rivals = ast.literal_eval(source.splitlines()[0].removeprefix("rivals = "))
    assert set(rivals) < {peer.title for peer in peers.PEERS.values()}


def test_the_workloads_are_networks():
    for workload in peers.WORKLOADS.values():
        net = peers.Numpy(workload, *toy(10)).net
        assert [W.shape[1] for W in net.weights.values()] == workload.sizes[:-1]
        assert isinstance(net, NeuralNetwork)


def command(*words):
    return subprocess.run(
        [sys.executable, ROOT / "benchmarks" / "bench.py", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.mark.kernel
def test_run_prints_tables_keeps_all_and_goes_on(tmp_path):
    output = tmp_path / "benchmark.json"
    words = ["run", "--output", output, "--limit", 400, "--rounds", 2, "--workloads", "W2", "--peers", "gemm", "numpy"]
    done = command(*words)
    assert done.returncode == 0, done.stderr
    assert "an epoch of 400 images, 1 thread: median" in done.stdout
    assert "ours, NumPy" in done.stdout
    kept = json.loads(output.read_text())
    assert len(kept["measured"]["compare W2 1"]["epoch"]["numpy"]["cpu"]) == 2
    assert kept["measured"]["start numpy"]["memory"][0] > 20  # MB, which NumPy alone takes
    done = command(*words)  # again: nothing is measured twice
    assert done.stderr == ""
    assert json.loads(output.read_text()) == kept


@pytest.mark.kernel
def test_core_compares_with_a_commit():
    if subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True).returncode:
        pytest.skip("not a git checkout")
    done = command("core", "HEAD", "--limit", 400, "--rounds", 2, "--workloads", "W2")
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"W2, ours, NumPy +\d+\.\d{3} +\d+\.\d{3} +\d+\.\d{3}", done.stdout.splitlines()[-1])
    refused = command("core", "no-such-commit")
    assert refused.returncode == 1
    assert "no-such-commit is no commit of this repository" in refused.stderr


class Scripted:
    """A worker that says how long each epoch took, and trains nothing."""

    SECONDS: ClassVar = {True: [9.0, 1.0, 2.0, 4.0], False: [9.0, 2.0, 3.0, 2.0]}  # by whether it is the commit's

    def __init__(self, peer, workload, limit, root=ROOT):
        self.answers = iter(self.SECONDS[root != ROOT])

    def ask(self, request):
        seconds = next(self.answers)
        return {"cpu": seconds, "wall": seconds}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


def test_core_prints_medians_and_the_median_of_the_ratios_of_each_round(monkeypatch, capsys):
    """The first epoch of each, with all compilation, is left out: 2/1, 3/2 and 2/4 are left."""
    monkeypatch.setattr(bench, "Worker", Scripted)
    monkeypatch.setattr(bench, "checkout", lambda base: nullcontext(Path("elsewhere")))
    bench.core("abc", ["numpy"], ["W1"], rounds=3, limit=10)
    assert capsys.readouterr().out.split()[-3:] == ["2.000", "2.000", "1.500"]


def test_a_peer_that_dies_at_its_first_epoch_is_left_out_and_said_but_ours_may_not(capsys):
    class Dying(Scripted):
        def ask(self, request):
            raise SystemExit("it ended with exit code -11")

    workers = {"numpy": Scripted("numpy", "W1", 10), "torch": Dying("torch", "W1", 10)}
    timings = bench.compare(workers, ["epoch"], 3, ["torch"])
    assert list(timings["epoch"]) == ["numpy"]
    assert "exit code -11: it is left out" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="-11"):
        bench.compare({"numpy": Dying("numpy", "W1", 10)}, ["epoch"], 3, ["torch"])


def test_ranges_of_a_table():
    peer = {"first": 3.0, "cpu": [1.0, 2.0, 4.0], "wall": [1.0, 1.0, 1.0]}
    measurements = {"limit": 10, "measured": {"compare W1 1": {"epoch": {"numpy": peer}, "predict": {"numpy": peer}}}}
    text = "\n".join(bench.tables(measurements))
    assert "2.000 (1.000 to 4.000)" in text


def test_a_table_has_every_peer_though_not_all_take_each_workload():
    peer = {"cpu": [1.0], "wall": [1.0]}
    some, all_of_them = ({"epoch": dict.fromkeys(names, peer)} for names in (["numpy"], ["numpy", "course"]))
    both = [one | {"predict": one["epoch"]} for one in (some, all_of_them)]
    measurements = {"limit": 10, "measured": dict(zip(("compare W1 1", "compare W5 1"), both, strict=True))}
    [row, *_] = [line for line in bench.tables(measurements) if line.startswith(peers.Course.title)]
    assert re.findall(r"[\d.]+|nan", row)[-6:] == ["nan"] * 3 + ["1.000"] * 3


def test_only_peers_that_have_its_ingredients_take_a_workload():
    able = {name for name, peer in peers.PEERS.items() if peer.takes(peers.WORKLOADS["W5"])}
    assert able == peers.PEERS.keys() - {"course", "sklearn"}
    assert all(peer.takes(peers.WORKLOADS["W4"]) for peer in peers.PEERS.values())
