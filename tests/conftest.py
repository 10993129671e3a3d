"""What several test files share: one thread a process, PyTorch as an oracle, and a browser."""

import builtins
import errno
import gc
import importlib
import io
import os
import shutil
import signal
import sys
from pathlib import Path

import pytest

import lab  # noqa: F401  (before Jupyter's packages, which it makes start quickly)

for library in ("OPENBLAS", "OMP"):  # one thread a process; read when NumPy is imported, which is after this file
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")

os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # or each of the hundreds of processes would compile all modules anew
sys.dont_write_bytecode = False

signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where tests are started in the background

BY_FIXTURE = ("torch", "browser", "database")  # a test that asks for such a fixture belongs to the group of its name
STARTING = ("kernel", "service", "torch", "browser")  # groups whose tests may start Python processes


def pytest_itemcollected(item):
    """Tests are grouped by what they need, before any are chosen by one; fixture or folder may tell."""
    for name in BY_FIXTURE:
        if name in getattr(item, "fixturenames", ()):
            item.add_marker(name)
    if item.path.parent.name == "pages":  # Matplotlib and nbconvert, which take seconds to import
        item.add_marker("pages")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    """In whatever order they are, each worker begins with its share of the long ones: none waits for the last."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", 1))
    items[:] = [item for first in range(workers) for item in items[first::workers]]  # a worker gets neighbours


class Watch:
    """Sees which test starts a Python process, by Python's own audit of what it does."""

    def __init__(self) -> None:
        self.started: list[str] = []
        sys.addaudithook(self)

    def __call__(self, event, arguments):
        if event == "os.fork" or (event == "subprocess.Popen" and "python" in Path(os.fsdecode(arguments[0])).name):
            self.started.append(event)


WATCH = Watch()


@pytest.fixture(autouse=True)
def grouped(request):
    """A test that starts a Python process says so by its marker: whoever wants quick tests leaves those out."""
    WATCH.started.clear()
    yield
    if not any(request.node.get_closest_marker(name) for name in STARTING):
        assert not WATCH.started, "starts a Python process: mark it with pytest.mark.kernel"


@pytest.fixture(autouse=True)
def closed():
    """Set up first, so torn down last: what a test has left open is found here, and charged to this test.

    What outlives a test is frozen, and not looked at again: so it takes a millisecond, however much is loaded.
    """
    yield
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def torch():
    """PyTorch. Where it is missing a test skips, but fails under CI=true: there no oracle may get lost."""
    if os.environ.get("CI") == "true":
        module = importlib.import_module("torch")
    else:
        module = pytest.importorskip("torch", reason="PyTorch, the oracle of this test, is not installed")
    module.set_num_threads(1)
    module.set_default_dtype(module.float64)  # in which NAdam, for one, keeps its product of momenta
    return module


@pytest.fixture(scope="session")
def twin(torch):
    """`twin(net, activation)` is the same network in PyTorch, weights copied; `activation` is a module."""

    def build(net, activation):
        modules = []
        for W, b in zip(net.weights.values(), net.biases.values(), strict=True):
            linear = torch.nn.Linear(*W.T.shape)
            linear.weight.data, linear.bias.data = torch.from_numpy(W.copy()), torch.from_numpy(b.copy())
            modules += [linear, activation]
        return torch.nn.Sequential(*modules[:-1])

    return build


@pytest.fixture(scope="session")
def groups():
    """`groups(model, weight_decay)` are parameter groups: PyTorch is to decay weights and leave biases alone."""

    def build(model, weight_decay):
        weights, biases = list(model.parameters())[::2], list(model.parameters())[1::2]
        return [{"params": weights, "weight_decay": weight_decay}, {"params": biases, "weight_decay": 0.0}]

    return build


@pytest.fixture(scope="session")
def database(tmp_path_factory):
    """An empty database of Optuna, to be copied: making one takes longer than most tests that need one.

    Whenever Optuna opens a database it reads all its migrations, to know the last: in tests it is told.
    """
    import optuna
    from alembic.script import ScriptDirectory

    path = tmp_path_factory.mktemp("database") / "study.db"
    last = optuna.storages.RDBStorage(f"sqlite:///{path.as_posix()}").get_head_version()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ScriptDirectory, "get_current_head", lambda self: last)
        yield path


@pytest.fixture
def forbidden(monkeypatch):
    """`forbidden(path)` makes a file or folder one that may not be used: tests may run as root, to whom all is open."""

    def forbid(path):
        for module, name in ((builtins, "open"), (io, "open"), (os, "stat"), (os, "scandir")):
            monkeypatch.setattr(module, name, refusing(getattr(module, name), path, within=name == "stat"))

    def refusing(usual, theirs, within):
        def call(path=".", *arguments, **options):
            place = Path(path) if isinstance(path, str | os.PathLike) else Path()
            if theirs in place.parents or (theirs == place and not within):
                raise PermissionError(errno.EACCES, "Permission denied", str(path))
            return usual(path, *arguments, **options)

        return call

    return forbid


@pytest.fixture
def place(tmp_path, monkeypatch, database):
    """Runs below tmp_path, W&B off."""
    (tmp_path / "runs" / "trial").mkdir(parents=True)
    shutil.copy(database, tmp_path / "runs" / "trial")
    monkeypatch.setenv("WANDB_MODE", "disabled")
    monkeypatch.setenv("FASHION_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("JOURNAL", str(tmp_path / "journal"))


@pytest.fixture
def notebook(tmp_path):
    """A training notebook that trains nothing."""
    from sweep_kit import write_notebook

    write_notebook(tmp_path / "03_train.ipynb")
    return tmp_path / "03_train.ipynb"


@pytest.fixture(scope="session")
def browser():
    """The machine's Chromium. Where there is none a test skips, but fails under CI=true."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
    path = next(filter(None, map(shutil.which, names)), None)
    if path is None:
        missing = "needs Chromium: install Debian's package chromium, or Chrome"
        pytest.fail(missing) if os.environ.get("CI") == "true" else pytest.skip(missing)
    from playwright.sync_api import sync_playwright

    quiet = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    quiet += " --disable-component-update --disable-sync"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=quiet.split())
        yield chromium
        chromium.close()
