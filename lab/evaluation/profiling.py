"""Where the time of a training step goes, what a change to it costs, and what `make bench` found: for notebooks."""

from __future__ import annotations

import itertools
import statistics
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
    "W5": dict(
        layers=2,
        num_hidden_neurons=1536,
        activation="gelu",
        optimizer="adamw",
        batch_size=256,
        weight_decay=L2,
        max_epochs=50,
        schedule="cosine",
        dropout=0.4,
        label_smoothing=0.1,
        normalization="batch",
        augmentation="mirror",
    ),
}
BARE, SYMBOLS = FLOORS = ("bare GEMM calls", "bare GEMM calls, compiled")  # the titles of peers that are no network
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
    medians = {what: statistics.median(clock[name] for clock in clocks[1:]) for name, what in PARTS.items()}
    medians[PRODUCTS] = statistics.median(seconds[PRODUCTS])
    medians[REST] = max(statistics.median(seconds["epoch"]) - sum(medians.values()), 0.0)
    return {part: 1e6 * value / steps for part, value in medians.items()}


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
    from lab.tracking.described import Benchmark, read_or_say

    return read_or_say(Benchmark, path, "make bench")


def results(*paths: Path) -> list[dict[str, Any]]:
    """What `make bench` has left in those of the files that there are and that hold measurements."""
    return [measurements for path in paths if (measurements := kept(path)).get("measured")]


def measured(
    measurements: Mapping[str, Any], request: str = "epoch", threads: int = 1, unit: str = "cpu"
) -> pd.DataFrame:
    """A row for each workload and peer; none, if nothing was measured yet.

    Columns: workload, peer (its title), seconds (the median, by unit: cpu or wall) of an `epoch` or `predict`, rounds
    (in each round, how many times as long as the bare products it took), and their median, least and most. All that is
    said of a peer rests on its `rounds`, since seconds are those of a machine that is now faster and now slower.
    """
    import pandas as pd

    rows = []
    for key, answers in measurements.get("measured", {}).items():
        kind, *rest = key.split()
        if kind == "compare" and rest[1] == str(threads):
            for peer, answer in answers[request].items():
                seconds, floor = answer[unit], answers[request]["gemm"][unit]
                times = tuple(a / b for a, b in zip(seconds, floor, strict=True))
                some = statistics.median(seconds), times, statistics.median(times), min(times), max(times)
                rows.append([rest[0], measurements["titles"][peer], *some])
    return pd.DataFrame(rows, columns=["workload", "peer", "seconds", "rounds", "median", "least", "most"])


def ratios(table: pd.DataFrame) -> pd.DataFrame:
    """The column `median` of such a table, a row for each peer, fastest first, and a column for each workload.

    NaN where a peer does not take a workload.
    """
    wide = table.pivot(index="peer", columns="workload", values="median")
    return wide.loc[wide.mean(axis="columns").sort_values().index].rename_axis(index=None, columns=None)


def side_by_side(machines: Sequence[Mapping[str, Any]], request: str = "epoch") -> pd.DataFrame:
    """`ratios` of several results, the columns of each named by its instructions, or its machine."""
    import pandas as pd

    parts: dict[str, pd.DataFrame] = {}
    for one in machines:
        if len(table := measured(one, request)):
            name = one.get("instructions") or one["machine"]
            parts[f"{name}, {one['date']}" if name in parts else name] = ratios(table)
    return pd.concat(parts, axis=1) if parts else pd.DataFrame()


def quotients(mine: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """Round by round, how many times as long theirs takes as mine."""
    return [b / a for a, b in zip(mine, theirs, strict=True)]


def tied(mine: Sequence[float], theirs: Sequence[float]) -> bool:
    """Whether neither is faster than the other in every round."""
    times = quotients(mine, theirs)
    return min(times) <= 1 <= max(times)


def faster(table: pd.DataFrame, ours: str, theirs: str) -> str:
    """How many times as long as one of `ours` an epoch of `theirs` takes: the median over the rounds, and their range.

    Workload by workload, in words; empty if one of them is missing.
    """
    wide = table.pivot(index="workload", columns="peer", values="rounds")
    if not {ours, theirs} <= set(wide):
        return ""
    said = []
    for workload, mine, other in wide[[ours, theirs]].dropna().itertuples():  # not every peer takes every workload
        times = quotients(mine, other)
        tie = ", a tie" * tied(mine, other)
        said.append(f"{workload} {statistics.median(times):.2f} ({min(times):.2f} to {max(times):.2f}{tie})")
    return "; ".join(said)


def rivals(table: pd.DataFrame, ours: Sequence[str]) -> pd.DataFrame:
    """How many times as long as the last of `ours` every other network takes, round by round: the same as `faster`.

    A row for each workload and peer, the least first; columns workload, peer, median, least, most.
    """
    import pandas as pd

    mine = table[table.peer == ours[-1]].set_index("workload")["rounds"]
    others = table[~table.peer.isin([*FLOORS, *ours])]
    rows = [
        [one.workload, one.peer, statistics.median(times), min(times), max(times)]
        for one in others.itertuples()
        for times in [quotients(mine[one.workload], one.rounds)]
    ]
    return pd.DataFrame(rows, columns=["workload", "peer", "median", "least", "most"]).sort_values("median")


def by_luck(rounds: int) -> str:
    """How often two equal peers are not called level: one is ahead in each round, as by tosses of a coin."""
    share = 2 * 0.5**rounds
    return f"Of two that are equal, one is ahead in each of {rounds} rounds in {100 * share:.0f} of 100 such pairs."


def fastest(table: pd.DataFrame) -> str:
    """Which network takes least time, how many times that of the bare products, and which are level, in words."""
    networks = table[~table.peer.isin(FLOORS)].sort_values("median")
    first, *others = networks.itertuples()
    level = [other.peer for other in others if tied(first.rounds, other.rounds)]
    said = f"{first.peer}, {first.median:.2f} times the bare products"
    return said + (f", level with {' and '.join(level)}" if level else "")


def leaders(measurements: Mapping[str, Any], threads: int = 1) -> str:
    """Workload by workload, what is `fastest` with so many threads; empty where that was not measured."""
    table = measured(measurements, threads=threads, unit="cpu" if threads == 1 else "wall")
    return "; ".join(f"{workload} {fastest(rows)}" for workload, rows in table.groupby("workload"))


def provenance(measurements: Mapping[str, Any]) -> str:
    """On what, when and from what it was measured, in a sentence; where nothing was, how to."""
    if not measurements.get("measured"):
        return "*Not measured on this machine yet: `make bench` does it, in an hour.*"
    versions = ", ".join(f"{name} {version}" for name, version in measurements["versions"].items())
    when = f"{measurements['date'][:10]}, at commit {measurements['commit']}, in {measurements['rounds']} rounds"
    when += f" of {measurements['limit']:,} images" if "limit" in measurements else ""
    return f"Measured on {measurements['machine']}, {when}, with {versions}."


def step_by_step(net: Any) -> None:
    """Have a network's training call each part of a step from Python, though it could be compiled whole."""
    net._backend.whole = False
