"""Damage and hostile input, area by area, and what becomes of each: `python tests/kit/attacks.py` prints the table.

An attack has failed if it ends in one sentence of fewer than 500 characters that is an error made for it, or in what
was meant. The mutations are drawn with a seed, so that each finding can be had again.
"""

import copy
import errno
import gzip
import itertools
import json
import os
import random
import sys
import tempfile
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import nbformat
import numpy as np
import optuna
from optuna.distributions import FloatDistribution

import fashion_mnist
from common.files import NotWritten, read_json, write_json, write_whole
from common.names import file_name
from common.words import masked
from fashion_mnist import DataError, Split
from lab import tracking
from lab.execution.notebook import Notebook, NotebookError
from lab.search.storage import File
from lab.search.sweepfile import SweepError, read
from lab.search.trials import Ending, Outcome, Trial
from lab.tracking.client import WandbError, check_mode
from lab.tracking.described import Benchmark, Confirmed, Damaged, Provenance, Results, RunRecord, SweepState, read_as
from nn_core import NeuralNetwork

SENTENCE, MEANT = "one sentence", "as meant"
LONGEST, MOST_BYTES = 500, 100_000_000
HUGE = int("9" * 400)
ODD = [None, True, -1, 1.5, "2", "", [], [1], {}, {"a": 1}, float("nan"), float("inf"), HUGE, "\0", "../x", "<script>"]


@dataclass(frozen=True)
class Attack:
    """What is done in an empty folder; `fails_as` are the kinds of error that are made for it."""

    area: str
    name: str
    do: Callable[[Path], object]
    fails_as: tuple[type[Exception], ...]
    outcome: str | None = None  # that alone is right; None: either is

    def become(self, folder: Path) -> str:
        """What became of it; raises AssertionError for anything that should not."""
        tracemalloc.start()
        try:
            self.do(folder)
            outcome = MEANT
        except self.fails_as as error:
            sentence, outcome = str(error), SENTENCE
            assert 0 < len(sentence) < LONGEST, f"{len(sentence)} characters"
            assert "\n" not in sentence.strip(), sentence
        finally:
            most = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        assert most < MOST_BYTES, f"{most / 1e6:.0f} MB"
        assert self.outcome in (None, outcome), f"became {outcome}"
        return outcome


# --- files of records, results, provenance, benchmarks ---

EPOCH = {"epoch": 1, "loss": 0.5, "accuracy": 0.8, "validationloss": 0.6, "validationaccuracy": 0.7, "seconds": 1.5}
TIMED = {"cpu": [1.0, 2.0], "wall": [1.5, 2.5]}
WHOLE: dict[type, dict[str, Any]] = {
    RunRecord: {
        "name": "hl_3",
        "status": "finished",
        "error": None,
        "config": {"layers": 3, "max_epochs": 1},
        "history": [EPOCH],
        "seconds": 3.0,
        "fingerprint": "0123456789ab",
        "versions": {"numpy": "2.4.6"},
    },
    Provenance: {
        "commit": None,
        "date": "2026-03-01T12:34:56+00:00",
        "seconds": 7.5,
        "parameters": {"seed": 42},
        "versions": {"python": "3.11.7"},
        "machine": "Linux, 2 CPUs",
        "command": "python report.py run notebooks/01_data.ipynb",
    },
    Benchmark: {
        "titles": {"gemm": "bare GEMM calls", "numpy": "this network"},
        "machine": "Linux, 2 cores",
        "versions": {"numpy": "2.4.6"},
        "commit": "0123456789ab",
        "date": "2026-03-01T12:34:56+00:00",
        "rounds": 2,
        "measured": {"compare W1 1": {"epoch": {"gemm": TIMED, "numpy": TIMED}}, "pair numpy W1": [1.9]},
    },
    Results: {"Test accuracy": {"value": "88 %", "note": "five seeds"}},
    SweepState: {
        "study": "t-0123456789ab",
        "fingerprint": "0123456789ab",
        "metric": "validationaccuracy",
        "goal": "maximize",
        "total": 3,
        "source": {"method": "random"},
        "options": {"count": 3, "workers": 2, "after": [], "timeout": 3600.0},
    },
    Confirmed: {
        "sweeps": ["t"],
        "best": 1,
        "seeds": 2,
        "metric": "validationaccuracy",
        "goal": "maximize",
        "runs": [["se_0", "se_1"]],
    },
}
NO_JSON = {
    "empty": "",
    "torn": '{"name": "hl_3", "status": "fin',
    "a list": "[1]",
    "null": "null",
    "bytes": "\xff\xfe\x00",
    "lists, 10,000 deep": "[" * 10_000,
    "objects, 10,000 deep": '{"a":' * 10_000,
    "a number of 5,000 digits": "1" + "0" * 5000,
    "a long text": json.dumps("x" * 10**6),
}


def use_record(path: Path) -> None:
    """What is done with a record that was read."""
    record = read_as(RunRecord, path)
    tracking.run_name(record["config"])
    tracking.contradiction({"layers": 3}, record)
    tracking.value_of(record, "validationaccuracy")
    assert isinstance(sum(epoch["epoch"] for epoch in record["history"]), int)
    assert (path.parent / record["name"]).parent == path.parent


def paths(value: Any, here: tuple = ()) -> Iterator[tuple]:
    """Where something stands in nested content."""
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
        yield (*here, key)
        if isinstance(inner, dict | list):
            yield from paths(inner, (*here, key))


def mutated(content: Any, path: tuple, value: Any) -> Any:
    """A copy with another value there; without it, where that is ..."""
    content = inner = copy.deepcopy(content)
    for key in path[:-1]:
        inner = inner[key]
    if value is ...:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return content


def damaged_files(chance: random.Random) -> Iterator[Attack]:
    for model, whole in WHOLE.items():
        use = use_record if model is RunRecord else lambda path, model=model: read_as(model, path)

        def read_text(folder, text, use=use):
            (folder / "a.json").write_text(text, encoding="latin-1")
            use(folder / "a.json")

        for name, text in NO_JSON.items():
            do = lambda folder, text=text, read_text=read_text: read_text(folder, text)  # noqa: E731
            yield Attack("damaged files", f"{model.what}: {name}", do, (Damaged,), SENTENCE)
        everywhere = [(path, value) for path in paths(whole) for value in (..., *ODD)]
        for path, value in chance.sample(everywhere, min(60, len(everywhere))):
            text = json.dumps(mutated(whole, path, value))
            do = lambda folder, text=text, read_text=read_text: read_text(folder, text)  # noqa: E731
            yield Attack("damaged files", f"{model.what}: {'.'.join(map(str, path))} = {value!r}"[:90], do, (Damaged,))


# --- sweep files ---

HEAD = "name: t\nmethod: random\nmetric: {name: validationaccuracy, goal: maximize}\nrun_cap: 3\n"
LONG = "9" * 400
BOMB = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"a{k}: &a{k} [{','.join([f'*a{k - 1}'] * 9)}]\n" for k in range(1, 30)
)
STEPS = "parameters: {learning_rate: {distribution: "
STOP = "parameters: {seed: {values: [1, 2]}}\nearly_terminate: {type: hyperband, "
REFUSED = {
    "a date": "parameters: {seed: {values: [2020-01-01]}}",
    "!!binary": "parameters: {activation: {values: [!!binary aGVsbG8=]}}",
    "a set": "parameters: {activation: {values: !!set {relu, tanh}}}",
    "ordered pairs": "parameters: {activation: {values: !!omap [a: 1]}}",
    "an object of Python's": "parameters: {activation: {value: !!python/object/apply:os.system [true]}}",
    "400 digits": f"parameters: {{seed: {{values: [{LONG}, 1]}}}}",
    "a maximum of 400 digits": f"parameters: {{seed: {{min: 0, max: {LONG}}}}}",
    "5,000 digits": f"parameters: {{seed: {{values: [{LONG * 13}]}}}}",
    "from -1e308 to 1e308": "parameters: {learning_rate: {min: -1.0e+308, max: 1.0e+308}}",
    "normal beyond numbers": "parameters: {learning_rate: {distribution: normal, mu: 1.0e+308, sigma: 1.0e+308}}",
    "a tiny q": "parameters: {learning_rate: {distribution: q_uniform, min: 0.0, max: 1.0, q: 1.0e-300}}",
    "exponents to 1000": "parameters: {learning_rate: {distribution: log_uniform, min: -1000.0, max: 1000.0}}",
    "NaN": "parameters: {learning_rate: {values: [.nan]}}",
    "infinite": "parameters: {learning_rate: {min: 0.0, max: .inf}}",
    "min above max": "parameters: {learning_rate: {min: 1.0, max: 0.0}}",
    "sigma 0": "parameters: {learning_rate: {distribution: normal, mu: 0, sigma: 0}}",
    "probabilities of nothing": "parameters: {seed: {values: [1, 2], probabilities: [0, 0]}}",
    "probabilities below 0": "parameters: {seed: {values: [1, 2], probabilities: [-1, 2]}}",
    "no values": "parameters: {seed: {values: []}}",
    "no parameters": "parameters:",
    "parameters a list": "parameters: [1]",
    "a key that is a number": "parameters: {1: {values: [1]}}",
    "a key that is a list": "parameters: {? [a] : {values: [1]}}",
    "a billion seeds": "parameters: {layers: {values: [1]}}\nseeds: 1000000000",
    "seeds as text": "parameters: {layers: {values: [1]}}\nseeds: '2'",
    "an infinite run_cap": "parameters: {layers: {values: [1]}}\nrun_cap: .inf",
    "run_cap true": "parameters: {layers: {values: [1]}}\nrun_cap: true",
    "run_cap -3": "parameters: {layers: {values: [1]}}\nrun_cap: -3",
    "goal up": "parameters: {layers: {values: [1]}}\nmetric: {name: loss, goal: up}",
    "a metric that is a list": "parameters: {layers: {values: [1]}}\nmetric: [1]",
    "a target of 400 digits": f"parameters: {{layers: {{values: [1]}}}}\nmetric: {{name: loss, target: {LONG}}}",
    "a grid of what is continuous": "method: grid\nparameters: {learning_rate: {min: 0.0, max: 1.0}}",
    "an eta of 1": STOP + "eta: 1, min_iter: 1}",
    "an infinite eta": STOP + "eta: .inf, min_iter: 1}",
    "min_iter of 400 digits": STOP + f"eta: 3, min_iter: {LONG}}}",
    "an alias bomb": BOMB + "parameters: {seed: {values: *a29}}",
    "an alias bomb for a name": BOMB + "name: *a29",
    "an alias bomb for a command": BOMB + "command: *a29",
    "a list that holds itself": "parameters: {seed: {values: &l [*l]}}",
    "a file that holds itself": "&r\nname: t\nparameters: *r",
    "500 lists in each other": f"parameters: {{seed: {{value: {'[' * 500}{']' * 500}}}}}",
    "10,000 lists in each other": f"parameters: {{seed: {{value: {'[' * 10_000}{']' * 10_000}}}}}",
    "100 parameters in each other": "parameters: {seed: " + "{parameters: {a: " * 100 + "{value: 1}" + "}}" * 101,
    "200,000 values": f"parameters: {{seed: {{values: [{','.join(map(str, range(200_000)))}]}}}}",
    "half a character": 'parameters: {activation: {values: ["\\ud800"]}}',
    "a control character": "parameters: {activation: {values: [\0]}}",
    "a tab": "\tname: x",
    "an unknown key": "parameter: {seed: {values: [1]}}",
    "an unknown method": "method: magic\nparameters: {seed: {values: [1]}}",
    "names of folders that keep other runs": "name: single\nparameters: {seed: {values: [1]}}",
    "nothing": "#",
    "text": "hello: [",
}
READ = {
    "a grid of 10^12 points": "method: grid\nparameters: {seed: {min: 0, max: 999999999999}}",
    "a grid of 10^15 steps": f"method: grid\n{STEPS}q_uniform, min: 0.0, max: 1.0, q: 1.0e-15}}}}",
    "1e-308 to 1e308, logarithmic": f"{STEPS}log_uniform_values, min: 1.0e-308, max: 1.0e+308}}}}",
    "s: 10000, eta: 1.5": STOP + "s: 10000, eta: 1.5, max_iter: 27}",
    "s: 10^9": STOP + "s: 1000000000, eta: 3, max_iter: 27}",
    "eta: 1.0000001": STOP + "s: 2, eta: 1.0000001, max_iter: 27}",
    "eta: 1.0000001 from 1": STOP + "eta: 1.0000001, min_iter: 1}",
    "eta: 1e308": STOP + "eta: 1.0e+308, min_iter: 1}",
    "a name that is a path": "name: ../../x\nparameters: {seed: {values: [1]}}",
    "a name that Windows keeps": "name: CON\nparameters: {seed: {values: [1]}}",
    "a name of 10,000 letters": f"name: {'a' * 10_000}\nparameters: {{seed: {{values: [1]}}}}",
    "a mark of the order of bytes": "\ufeffparameters: {seed: {values: [1]}}",
}


def sweep_files(_: random.Random) -> Iterator[Attack]:
    def attack(name, text, outcome):
        keys = [line.partition(":")[0] for line in text.splitlines()]
        head = "\n".join(line for line in HEAD.splitlines() if line.partition(":")[0] not in keys)
        whole = f"{head}\n{text}\n" if text[0] not in "\t\ufeff#&" else f"{text}\n{head}\n" * (text[0] != "#")

        def do(folder):
            (folder / "a.yaml").write_text(whole, encoding="utf-8")
            sweep = read(folder / "a.yaml")
            assert sweep.size >= 1
            assert (folder / file_name(sweep.name)).parent == folder

        return Attack("sweep files", name, do, (SweepError,), outcome)

    for name, text in REFUSED.items():
        yield attack(name, text, SENTENCE)
    for name, text in READ.items():
        yield attack(name, text, MEANT)


# --- names that become paths ---

NAMES = [
    *("", ".", "..", "../x", "../../esc", "/", "/etc/passwd", "a/b", "a\\b", "..\\..\\x", "C:\\x", "C:", "~", "~root"),
    *(
        "CON",
        "con.txt",
        "nul",
        "COM1",
        "LPT9.json",
        "x.",
        "x ",
        "x...",
        " x",
        "-rf",
        "--delete",
        "*",
        "?",
        "[a]",
        "$HOME",
    ),
    *(
        "a\0b",
        "a\nb",
        "\ud800",
        "e\u0301",
        "\u202eulu",
        "x" * 300,
        "é" * 200,
        "%2e%2e%2f",
        "%20",
        "{x}",
        "`id`",
        "a:b",
        "|",
    ),
]


def names(_: random.Random) -> Iterator[Attack]:
    for name in NAMES:

        def do(folder, name=name):
            path = folder / "runs" / file_name(name)
            path.mkdir(parents=True)
            assert path.resolve().parent == (folder / "runs").resolve()

        yield Attack("names", repr(name)[:60], do, (), MEANT)


# --- notebooks, networks, data ---


def notebooks(_: random.Random) -> Iterator[Attack]:
    cell = nbformat.v4.new_code_cell("folder: str = ''\nlayers: int = 3", metadata={"tags": ["parameters"]})
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    whole = nbformat.v4.new_notebook(cells=[cell], metadata=kernel)
    texts = dict(NO_JSON)
    for name, source in {
        "a default that is no literal": "folder: str = ''\nlayers: int = len('abc')",
        "no folder": "layers: int = 3",
        "no parameters": "",
        "no Python": "folder = = 3",
    }.items():
        texts[name] = json.dumps(mutated(whole, ("cells", 0, "source"), source))
    for path in (("cells",), ("metadata",), ("metadata", "kernelspec"), ("cells", 0, "source"), ("nbformat",)):
        for value in (..., None, 3, "x", [1]):
            texts[f"{'.'.join(map(str, path))} = {value!r}"] = json.dumps(mutated(whole, path, value))
    for name, text in texts.items():

        def do(folder, text=text):
            (folder / "a.ipynb").write_text(text, encoding="latin-1")
            Notebook(folder / "a.ipynb")

        yield Attack("notebooks", name, do, (NotebookError,))
    for path in ("/dev/null", "/dev/zero", "/etc", "missing.ipynb", "/etc/passwd"):
        yield Attack("notebooks", path, lambda _, path=path: Notebook(path), (NotebookError,), SENTENCE)


def networks(chance: random.Random) -> Iterator[Attack]:
    with tempfile.TemporaryDirectory() as folder:
        NeuralNetwork(layers=1, num_hidden_neurons=4, inputs=5).save(Path(folder) / "a.npz")
        whole = (Path(folder) / "a.npz").read_bytes()
    damaged = {f"torn after {n} bytes": whole[:n] for n in (0, 1, 30, len(whole) // 2, len(whole) - 1)}
    for k in range(40):
        at = chance.randrange(len(whole))
        damaged[f"byte {at} changed ({k})"] = (
            whole[:at] + bytes([whole[at] ^ chance.randrange(1, 256)]) + whole[at + 1 :]
        )
    for name, content in damaged.items():

        def do(folder, content=content):
            (folder / "a.npz").write_bytes(content)
            NeuralNetwork.load(folder / "a.npz")

        yield Attack("networks", name, do, (ValueError,))
    for name, path in {"a folder": ".", "a device": "/dev/full"}.items():
        save = lambda folder, path=path: NeuralNetwork(layers=1).save(folder / path)  # noqa: E731
        yield Attack("networks", f"saved to {name}", save, (OSError,), SENTENCE)
    for key, value in {
        "threads": 0,
        "layers": "2",
        "seed": -1,
        "learning_rate": float("nan"),
        "batch_size": 1.5,
    }.items():
        make = lambda _, key=key, value=value: NeuralNetwork(**{key: value})  # noqa: E731
        yield Attack("networks", f"{key}={value!r}", make, (ValueError,), SENTENCE)


def data(chance: random.Random) -> Iterator[Attack]:
    def do(folder, content, name):
        (folder / name).write_bytes(content)
        with patch.object(fashion_mnist, "DATA", folder), patch.object(fashion_mnist, "SOURCES", ()):
            _ = fashion_mnist.load(folder).train

    header = fashion_mnist.FILES["train-images"].header
    contents = {
        "empty": b"",
        "a header alone": header,
        "half a header": header[:7],
        "another shape": header[:4] + b"\xff" * 12,
        "255 dimensions": b"\0\0\x08\xff" + b"\0" * 100,
        "a page of HTML": b"<!doctype html><title>404</title>",
        "a torn gzip": gzip.compress(header)[:15],
        "a gzip of nothing": gzip.compress(b""),
        "a gzip bomb": gzip.compress(bytes(10**7)),
    }
    for k in range(10):
        contents[f"random bytes ({k})"] = chance.randbytes(chance.randrange(1, 99))
    for name, content in contents.items():
        for file in ("train-images-idx3-ubyte", "train-images.npy"):
            attack = lambda folder, content=content, file=file: do(folder, content, file)  # noqa: E731
            yield Attack("data", f"{file}: {name}", attack, (DataError,), SENTENCE)
    endless = {"a pipe": os.mkfifo, "/dev/zero": lambda path: path.symlink_to("/dev/zero")}
    for (name, make), file in itertools.product(endless.items(), ("train-images-idx3-ubyte", "train-images.npy")):

        def read_endless(folder, make=make, file=file):
            make(folder / file)
            do(folder, b"", "other")

        yield Attack("data", f"{file}: {name}", read_endless, (DataError,), SENTENCE)
    few = Split(np.zeros((3, 2)), np.zeros(3))
    for limit in (0, -5, 1.5, "3", float("nan"), [1]):
        yield Attack("data", f"limit {limit!r}", lambda _, limit=limit: few.first(limit), (ValueError,), SENTENCE)
    for seed, fraction in ((-1, 0.1), (0, 0), (0, 1), (0, -0.1), (0, float("nan")), ("1", 0.1), (0, None)):
        split = lambda _, s=seed, f=fraction: fashion_mnist.split(few, seed=s, fraction=f)  # noqa: E731
        yield Attack("data", f"split with seed {seed!r}, fraction {fraction!r}", split, (ValueError,), SENTENCE)


# --- studies of sweeps ---


def read_study(folder: Path) -> None:
    """What a driver that goes on reads, and then writes."""
    kept = File(folder)
    kept.open("study", "maximize", {"lag": 4})
    trials = kept.trials("study")
    number = kept.add("study", Trial({"rate": 0.5}, "next", {"rate": FloatDistribution(0, 1)}, ("next",))).number
    assert number == len(trials)
    kept.tell("study", number, Ending(Outcome.FINISHED, 0.5))


def studies(chance: random.Random) -> Iterator[Attack]:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        read_study(Path(folder))
        whole = (Path(folder) / "study.db").read_bytes()
    damaged = {f"torn after {n} bytes": whole[:n] for n in (0, 100, len(whole) // 2)}
    damaged["no database"] = b"no database" * 1000
    for k in range(6):
        at, size = chance.randrange(len(whole)), chance.choice((1, 1, 8, 512))
        damaged[f"{size} bytes at {at} changed ({k})"] = whole[:at] + chance.randbytes(size) + whole[at + size :]
    for name, content in damaged.items():

        def do(folder, content=content):
            (folder / "study.db").write_bytes(content)
            read_study(folder)

        yield Attack("studies", name, do, (SweepError,))


# --- writing, secrets, settings ---


def writing(_: random.Random) -> Iterator[Attack]:
    for number in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EIO):
        for where in ("fsync", "replace"):

            def do(folder, number=number, where=where):
                write_whole(folder / "a", "old")
                with patch.object(os, where, side_effect=OSError(number, os.strerror(number))):
                    try:
                        write_whole(folder / "a", "new")
                    finally:
                        assert [path.name for path in folder.iterdir()] == ["a"]
                        assert (folder / "a").read_text() == "old"

            yield Attack("writing", f"{errno.errorcode[number]} at {where}", do, (NotWritten,), SENTENCE)
    for name, path in {
        "a folder": ".",
        "/dev/full": "/dev/full",
        "no such folder": "x/y",
        "a long name": "x" * 300,
    }.items():
        write = lambda folder, path=path: write_whole(folder / path, "new")  # noqa: E731
        yield Attack("writing", name, write, (NotWritten,), SENTENCE)
    for name, value in {
        "float32": np.float32(1),
        "an array": np.ones(2),
        "NaN": float("nan"),
        "400 digits": HUGE,
    }.items():

        def keep(folder, value=value):
            write_json(folder / "a.json", {"a": value})
            assert "a" in read_json(folder / "a.json")

        yield Attack("writing", f"{name} as JSON", keep, (), MEANT)


SECRET = "mark3d-s3cret"
HIDDEN = [
    *(f"postgresql://me:{SECRET}@host/db", f"postgres://{SECRET}@host", f" http://me:{SECRET}@host:80/path x"),
    *(
        f"postgresql://host/db?password={SECRET}",
        f"sslpassword={SECRET} host=x",
        f"--token={SECRET}",
        f"api_key: {SECRET}",
    ),
    *(f"https://me:a/b@{SECRET}@host", f"tls://{SECRET}@host and tls://me:{SECRET}@host", f"[{SECRET}]"),
]


def secrets(_: random.Random) -> Iterator[Attack]:
    for text in HIDDEN:

        def do(folder, text=text):
            with patch.dict(os.environ, {"SOME_API_KEY": SECRET}):
                assert SECRET not in masked(text)
            if text[0] != "[":  # known from the environment alone
                assert SECRET not in masked(text)

        yield Attack("secrets", text.replace(SECRET, "..."), do, (), MEANT)
    for mode in ("of", "OFFLINE", "garbage", "online ", "1"):

        def check(_, mode=mode):
            with patch.dict(os.environ, {"WANDB_MODE": mode}):
                check_mode()

        yield Attack("settings", f"WANDB_MODE={mode!r}", check, (WandbError,), SENTENCE)


AREAS = (damaged_files, sweep_files, names, notebooks, networks, data, studies, writing, secrets)


def attacks(seed: int = 0) -> list[Attack]:
    """All of them, the drawn ones by the seed."""
    return [attack for area in AREAS for attack in area(random.Random(seed))]


def main() -> int:
    """Print what became of them, by area; the exit code is that of a check."""
    became: dict[str, Counter] = {}
    for attack in attacks(int(sys.argv[1]) if len(sys.argv) > 1 else 0):
        with tempfile.TemporaryDirectory() as folder:
            try:
                outcome = attack.become(Path(folder))
            except Exception as error:
                outcome = "got through"
                print(f"{attack.area}, {attack.name}: {type(error).__name__}: {str(error)[:200]}")
        became.setdefault(attack.area, Counter())[outcome] += 1
    print("| area | attacks | one sentence | as meant | got through |\n| --- | --- | --- | --- | --- |")
    became["all"] = sum(became.values(), Counter())
    for area, outcomes in became.items():
        print(f"| {area} | {outcomes.total()} | {outcomes[SENTENCE]} | {outcomes[MEANT]} | {outcomes['got through']} |")
    return int(became["all"]["got through"] > 0)


if __name__ == "__main__":
    sys.exit(main())
