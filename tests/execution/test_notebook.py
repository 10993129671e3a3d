"""Notebooks as functions: what their fingerprints cover."""

import subprocess
import sys

import nbformat
import pytest

from lab.execution import notebook as room
from lab.execution.notebook import TRAINING, Notebook, NotebookError, code_of, fingerprint, imported, without_figures
from lab.tracking import REPOSITORY


@pytest.mark.parametrize(
    ("edit", "same"),
    [
        (("# twice", "# two times"), True),
        (('"""Doubles x."""', '"""Twice x."""'), True),
        (("2 * x", "2  *  x"), True),
        (("2 * x", "3 * x"), False),
    ],
)
def test_a_fingerprint_is_of_the_code_and_not_of_what_is_said_about_it(edit, same, notebook, tmp_path):
    code = tmp_path / "core.py"
    code.write_text('def double(x):\n    """Doubles x."""\n    return 2 * x  # twice\n')
    before = fingerprint(notebook, [code])
    code.write_text(code.read_text().replace(*edit))
    assert (fingerprint(notebook, [code]) == before) is same


def test_a_fingerprint_is_of_all_that_the_notebook_imports():
    names = {path.relative_to(REPOSITORY).as_posix() for path in imported(code_of(TRAINING))}
    assert not any(name.startswith("lab/pages/") for name in names)  # which decide no result
    packages = ((REPOSITORY / folder).glob("*.py") for folder in ("backends", "common"))
    there = {path.relative_to(REPOSITORY).as_posix() for package in packages for path in package}
    core = {"activations.py", "optimizers.py", "nn_core.py", "fashion_mnist.py", "lab/tracking/__init__.py"}
    unneeded = {
        "common/intervals.py",
        "common/machine.py",
        "common/streams.py",
    }  # by a training: neither decides a result
    assert names >= core | there - unneeded


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("import nn_core", {"nn_core.py", "activations.py"}),
        ("def f():\n    from backends.threads import limit", {"backends/__init__.py", "backends/threads.py"}),
        ("from lab import tracking", {"lab/__init__.py", "lab/tracking/__init__.py"}),
        ("%matplotlib inline\nimport optimizers", {"optimizers.py"}),
        ("import numpy, json", set()),
        ("if:", set()),
    ],
)
def test_imports_are_followed_wherever_they_stand(source, names):
    modules = {path.relative_to(REPOSITORY).as_posix() for path in imported([source])}
    assert modules >= names
    assert names or not modules


def test_another_numpy_has_another_fingerprint(notebook, monkeypatch):
    before = fingerprint(notebook)
    monkeypatch.setattr(room, "version", lambda package: f"another {package}")
    assert fingerprint(notebook) != before


def test_cells_that_only_show_something_are_no_part_of_a_run(notebook):
    """Nor of its fingerprint: another look at results makes no new ones."""
    before = fingerprint(notebook)
    book = nbformat.read(notebook, as_version=4)
    book.cells.append(
        nbformat.v4.new_code_cell("from lab.pages import figures", metadata={"tags": ["figure", "found"]})
    )
    nbformat.write(book, notebook)
    assert fingerprint(notebook) == before
    assert without_figures(book).cells == book.cells[:-1]
    book.cells[-1].metadata["tags"] = ["found"]
    nbformat.write(book, notebook)
    assert fingerprint(notebook) != before


def edited(path, change):
    book = nbformat.read(path, as_version=4)
    change(book)
    nbformat.write(book, path)
    return path


def untag(book):
    book.cells[0].metadata["tags"] = []


def tag_twice(book):
    book.cells[1].metadata["tags"] = ["parameters"]


def forget_kernel(book):
    del book.metadata["kernelspec"]


def lose_folder(book):
    book.cells[0].source = book.cells[0].source.replace("folder: str", "place: str")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (untag, "03_train.ipynb has no cell tagged 'parameters': tag the one that a sweep is to set"),
        (tag_twice, "03_train.ipynb has several cells tagged 'parameters', 1 and 2: only one can be set"),
        (forget_kernel, "03_train.ipynb names no kernel: open it in JupyterLab, choose one, and save it"),
        (lose_folder, "03_train.ipynb has no parameter 'folder', which says where to keep a run"),
    ],
)
def test_a_notebook_that_no_sweep_can_run_is_refused_in_one_sentence(change, sentence, notebook):
    with pytest.raises(NotebookError) as refusal:
        Notebook(edited(notebook, change))
    assert str(refusal.value) == sentence


def test_what_is_no_notebook_is_not_quoted(tmp_path):
    (tmp_path / "passwords").write_text("root:secret:0:0")
    with pytest.raises(NotebookError) as raised:
        Notebook(tmp_path / "passwords")
    assert str(raised.value) == f"{tmp_path / 'passwords'} is not a readable notebook: it is no JSON"


def test_half_of_a_surrogate_pair_which_no_file_can_hold_is_refused(tmp_path):
    path = tmp_path / "notebook.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("HALF")]), path)
    path.write_text(path.read_text().replace("HALF", r"\ud83d\ude00"))
    assert room.read(path).cells[0].source == "\U0001f600"
    path.write_text(path.read_text().replace(r"\ude00", ""))
    with pytest.raises(NotebookError, match=r"is not a readable notebook: .* surrogates not allowed"):
        room.read(path)


def test_code_that_has_not_changed_is_not_read_again(notebook, tmp_path, monkeypatch):
    path, rules = notebook, tmp_path / "rules.py"
    rules.write_text("x = 1")
    book, read = Notebook(path, [rules]), []
    monkeypatch.setattr(room, "fingerprint", lambda *given: read.append(given) or str(len(read)))
    assert book.fingerprint_now() == book.fingerprint
    assert not read
    rules.write_text("x = 22")
    assert book.fingerprint_now() == book.fingerprint_now() == "1"
    path.write_text(path.read_text().replace("layers: int = 3", "layers: int = 33"))
    assert book.fingerprint_now() == "2"
    rules.unlink()
    book.fingerprint_now()
    assert len(read) == 3


def test_a_default_is_nothing_that_the_notebook_adds():
    training = Notebook(TRAINING)
    assert training.defaults["normalization"] == "none"
    with pytest.raises(NotebookError, match="'none' is not a known schedule"):
        training.check_names({"schedule": ["none"]})
    with pytest.raises(NotebookError, match="'shfit' is not a known augmentation: the nearest is 'shift'"):
        training.check_names({"augmentation": ["mirror", ["mirror", "shfit"]]})


@pytest.mark.kernel
def test_no_kernel_that_trains_knows_of_the_search():
    """It speaks with its driver through files alone."""
    code = "import importlib, sys\nfor name in sys.argv[1:]:\n    importlib.import_module(name)\nprint(*sys.modules)"
    command = [sys.executable, "-c", code, *Notebook(TRAINING).modules]
    imported = set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())
    assert {"nn_core", "lab.tracking.verdicts"} < imported
    assert not imported & {"optuna", "sqlalchemy", "distributed", "lab.search"}
