"""Where the time of a training step goes, what a change to it costs, and what `make bench` found: for notebooks."""

from __future__ import annotations

import itertools
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

PAUSE = 0.1  # seconds: threads of BLAS spin for a moment when their work is done, which the next one must not pay for
PARTS = {  # method of a backend -> what it does
    "gather": "reading images",
    "activate": "bias and activation",
    "loss": "softmax and loss",
    "differentiate": "derivative and bias gradient",
    "step": "L2 term and optimizer",
}
L2 = 0.0005
WORKLOADS: dict[str, dict[str, Any]] = {  # the networks that are timed, as configurations
    "W1": dict(layers=3, num_hidden_neurons=128, activation="tanh", optimizer="adam", batch_size=32, weight_decay=L2),
    "W2": dict(layers=2, num_hidden_neurons=64, activation="relu", optimizer="sgd", batch_size=16, weight_decay=L2),
    "W3": dict(
        layers=4, num_hidden_neurons=128, activation="sigmoid", optimizer="nesterov", batch_size=64, weight_decay=L2
    ),
    "W4": dict(layers=2, num_hidden_neurons=512, activation="relu", optimizer="adam", batch_size=256, weight_decay=L2),
}
BARE = "bare GEMM calls"  # the title of the peer that is no network
PRODUCTS, REST = "matrix products", "the rest"


def products(sizes: Sequence[int], batch_size: int) -> Callable[..., None]:
    """A function that does the matrix products of one step in float32, of `n` examples, and nothing else.

    sizes: neurons of each layer, the input's first. It is what remains of a step if all else costs nothing.
    """
    rng = np.random.default_rng(0)
    weights = [rng.random(shape, np.float32) for shape in itertools.pairwise(sizes)]
    gradients = [np.empty_like(W) for W in weights]
    activations, deltas = ([np.zeros((batch_size, n), np.float32) for n in sizes] for _ in range(2))

    def step(n: int = batch_size) -> None:
        h, delta = ([array[:n] for array in arrays] for arrays in (activations, deltas))
        for k, W in enumerate(weights):
            np.matmul(h[k], W, h[k + 1])
        for k in reversed(range(len(weights))):
            np.matmul(h[k].T, delta[k + 1], gradients[k])
            if k:
                np.matmul(delta[k + 1], weights[k].T, delta[k])

    return step


def in_turn(
    contenders: Mapping[str, Callable[[], object]], rounds: int, clock: Callable[[], float] = time.process_time
) -> dict[str, list[float]]:
    """Seconds of each contender by `clock`, CPU seconds by default, `rounds` of them.

    All take turns, after one call each that is not counted.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(rounds + 1):
        for name, do in contenders.items():
            time.sleep(PAUSE)
            start = clock()
            do()
            if turn:
                seconds[name].append(clock() - start)
    return seconds


def breakdown(net: Any, train: tuple[np.ndarray, np.ndarray], rounds: int = 3) -> dict[str, float]:
    """Microseconds of each part of a training step, by the clock on the wall: the PARTS, the PRODUCTS, and the REST.

    Medians over epochs. The products are timed apart, in turn with the epochs, and on one batch, which stays in the
    cache; the REST is what the others leave. Leaves `net` trained.
    """
    steps = -(-len(train[1]) // net.config["batch_size"])
    sizes = [net.weights[1].shape[1], *(len(b) for b in net.biases.values())]
    multiply = products(sizes, net.config["batch_size"])
    epochs = net.train(train, max_epochs=net.epoch + rounds + 1)
    clocks: list[dict[str, float]] = []

    def epoch() -> None:
        with _clock(net._backend) as clock:
            next(epochs)
        clocks.append(clock)

    seconds = in_turn({"epoch": epoch, PRODUCTS: lambda: [multiply() for _ in range(steps)]}, rounds, time.perf_counter)
    found = {what: statistics.median(clock[name] for clock in clocks[1:]) for name, what in PARTS.items()}
    found[PRODUCTS] = statistics.median(seconds[PRODUCTS])
    found[REST] = max(statistics.median(seconds["epoch"]) - sum(found.values()), 0.0)
    return {part: 1e6 * value / steps for part, value in found.items()}


@contextmanager
def _clock(backend: Any) -> Iterator[dict[str, float]]:
    """The seconds that each of the PARTS takes within a `with` block."""
    clock = dict.fromkeys(PARTS, 0.0)

    def timed(name: str, do: Callable) -> Callable:
        def wrapper(*arguments: Any) -> Any:
            start = time.perf_counter()
            value = do(*arguments)
            clock[name] += time.perf_counter() - start
            return value

        return wrapper

    parts = {name: timed(name, getattr(backend, name)) for name in PARTS}
    with patch.multiple(backend, whole=False, **parts):  # a step that is compiled whole has no parts
        yield clock


# --- What `make bench` has found: runs/benchmark.json ---


def kept(path: Path) -> dict[str, Any]:
    """What `make bench` has left in a file; empty without one, or for one that is damaged, which is then said."""
    from lab.tracking.described import Benchmark, Damaged, read_as

    try:
        return read_as(Benchmark, path) or {}
    except Damaged as error:
        print(f"{error}: `make bench` measures anew", file=sys.stderr)
        return {}


def measured(found: Mapping[str, Any], request: str = "epoch", threads: int = 1, unit: str = "cpu") -> pd.DataFrame:
    """A row for each workload and peer; none, if nothing was measured yet.

    Columns: workload, peer (its title), the median, least and most seconds (unit: cpu or wall) of an `epoch` or
    `predict`, and times, the median over the rounds of the ratio to the bare products.
    """
    import pandas as pd

    rows = []
    for key, answers in found.get("measured", {}).items():
        kind, *rest = key.split()
        if kind == "compare" and rest[1] == str(threads):
            for peer, answer in answers[request].items():
                seconds, floor = answer[unit], answers[request]["gemm"][unit]
                times = statistics.median(a / b for a, b in zip(seconds, floor, strict=True))
                some = statistics.median(seconds), min(seconds), max(seconds), times
                rows.append([rest[0], found["titles"][peer], *some])
    return pd.DataFrame(rows, columns=["workload", "peer", "median", "least", "most", "times"])


def ratios(table: pd.DataFrame) -> pd.DataFrame:
    """The column `times` of such a table, a row for each peer, fastest first, and a column for each workload."""
    wide = table.pivot(index="peer", columns="workload", values="times")
    return wide.loc[wide.mean(axis="columns").sort_values().index].rename_axis(index=None, columns=None)


def faster(table: pd.DataFrame, ours: str, theirs: str) -> str:
    """How many times as long as one of `ours` an epoch of `theirs` takes, by the quotient of their `times`.

    Workload by workload, in words; empty if one of them is missing.
    """
    wide = table.pivot(index="workload", columns="peer", values="times")
    if not {ours, theirs} <= set(wide):
        return ""
    return ", ".join(f"{workload} {times:.2f}" for workload, times in (wide[theirs] / wide[ours]).items())


def fastest(table: pd.DataFrame) -> str:
    """Which network takes least time, and how many times that of the bare products it is, in words."""
    first = table[table.peer != BARE].sort_values("times").iloc[0]
    return f"{first.peer}, {first.times:.2f} times the bare products"


def provenance(found: Mapping[str, Any]) -> str:
    """On what, when and from what it was measured, in a sentence; where nothing was, how to."""
    if not found.get("measured"):
        return "*Not measured on this machine yet: `make bench` does it, in half an hour.*"
    versions = ", ".join(f"{name} {version}" for name, version in found["versions"].items())
    when = f"{found['date'][:10]}, at commit {found['commit']}, in {found['rounds']} rounds"
    return f"Measured on {found['machine']}, {when}, with {versions}."
