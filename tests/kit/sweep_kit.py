"""What tests of sweeps share: a plan, a notebook that trains nothing, and what takes the place of papermill."""

import math
import os
import time
from contextlib import contextmanager
from pathlib import Path

import nbformat
import pytest

from common.files import write_json
from lab.execution.notebook import Notebook
from lab.search import executors, sweep
from lab.search.verdicts import RULES

PARAMETERS = """\
max_epochs: int = 2  # passes over the training images
initializer: str = "xavier"  # random, xavier or he
layers: int = 3  # hidden layers
num_hidden_neurons: int = 128  # neurons in each of them
activation: str = "tanh"  # of the hidden layers
learning_rate: float = 0.001  # size of a step
weight_decay: float = 0.0  # L2
optimizer: str = "adam"  # a name
batch_size: int = 32  # images a step
loss: str = "cross_entropy"  # a name
seed: int = 0  # of everything random
momentum: float = None  # of some optimizers
validation_fraction: float = 0.1  # set aside
limit: int = None  # first so many images
folder: str = ""  # where the run is kept
draw: bool = True  # figures
"""
TRAIN = """\
import os, sys, time
from lab import tracking

config = dict(
    max_epochs=max_epochs, initializer=initializer, layers=layers, num_hidden_neurons=num_hidden_neurons,
    activation=activation, learning_rate=learning_rate, weight_decay=weight_decay, optimizer=optimizer,
    batch_size=batch_size, loss=loss, seed=seed, validation_fraction=validation_fraction, limit=limit,
)
journal = lambda word: print(word, tracking.run_name(config), file=open(os.environ["JOURNAL"], "a"))
with tracking.start(config, folder) as run:
    journal("begin")
    for epoch in range(1, max_epochs + 1):
        time.sleep(float(os.environ.get("EPOCH", "0")))
        if activation == "unknown":
            raise ValueError("there is no activation 'unknown'")
        if learning_rate > 1:
            raise FloatingPointError(f"the loss is not finite in epoch {epoch}")
        accuracy = 1 - abs(layers - 3) / 10 - learning_rate
        run.log(dict(epoch=epoch, loss=0.5, accuracy=0.9, validationloss=0.6, validationaccuracy=accuracy, seconds=0.1))
        if run.should_stop:
            break
journal("end")
"""
SPACE = {"layers": {"values": [2, 3, 4]}, "activation": {"values": ["TANH", "RELU"]}, "seed": {"values": [0, 1]}}
METRIC = {"name": "validationaccuracy", "goal": "maximize"}


def definition(method="random", parameters=SPACE, **others):
    return {"name": "trial", "method": method, "metric": METRIC, "parameters": parameters} | others


def write_notebook(path):
    """A training notebook that trains nothing: what it reports follows from its parameters."""
    cells = [
        nbformat.v4.new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]}),
        nbformat.v4.new_code_cell(TRAIN),
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)


@contextmanager
def executing(execute):
    """In the place of papermill and its kernels, for the block; None leaves them."""
    with pytest.MonkeyPatch.context() as patch:
        if execute:
            patch.setattr(executors.Here, "execute", lambda self, *arguments: execute(*arguments))
        yield


def run(*arguments, execute=None, **options):
    """`sweep.run`, with something else in the place of kernels."""
    with executing(execute):
        return sweep.run(*arguments, **options)


def run_configurations(*arguments, execute=None, **options):
    """`sweep.run_configurations`, likewise."""
    with executing(execute):
        return sweep.run_configurations(*arguments, **options)


class Killed(BaseException):
    """The end of the driver, in tests without kernels."""


class Fake:
    """In the place of papermill and a kernel: notes the parameters and leaves a record at once."""

    def __init__(self, fail=(), diverge=(), killed_after=math.inf):
        self.ran, self.fail, self.diverge, self.killed_after = [], fail, diverge, killed_after

    def __call__(self, notebook, output, parameters, timeout, hear):
        parameters = dict(parameters)
        folder = Path(parameters.pop("folder"))
        assert parameters.pop("draw") is False
        if len(self.ran) >= self.killed_after:
            raise Killed
        self.ran.append(parameters)
        output.write_text("executed")
        if parameters in self.fail:
            raise ValueError("what went\nwrong")
        accuracy = 1 - abs(parameters.get("layers", 3) - 3) / 10 - parameters.get("learning_rate", 0)
        write_json(
            folder / "record.json",
            {
                "name": folder.name,
                "status": "diverged" if parameters in self.diverge else "finished",
                "error": None,
                "config": parameters,
                "history": [{"epoch": 1, "loss": 0.5, "accuracy": 0.9, "validationaccuracy": accuracy}],
                "seconds": 0.1,
                "fingerprint": Notebook(notebook, RULES).fingerprint,
            },
        )


def freeze(configs):
    return {tuple(sorted(config.items())) for config in configs}


def journal(word):
    path = Path(os.environ["JOURNAL"])
    lines = path.read_text().splitlines() if path.exists() else []
    return [line.split()[1] for line in lines if line.startswith(word)]


def wait_for(condition, seconds=60):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.05)


def kernels(pid):
    """The processes below a driver, to be asked later whether they are still there."""
    psutil = pytest.importorskip("psutil")
    return psutil.Process(pid).children(recursive=True)
