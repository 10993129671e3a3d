"""A notebook as a function: the parameters that it takes, and the fingerprint of all the code that it runs."""

from __future__ import annotations

import ast
import functools
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import nbformat
import papermill
from jupyter_client.kernelspec import KernelSpecManager
from nbformat.reader import NotJSONError

from common.files import content_of
from common.names import first_unknown
from common.words import text_of
from lab.tracking import HOUSEKEEPING, REPOSITORY, run_name

Config = dict[str, Any]  # parameters of a notebook by name

TRAINING = REPOSITORY / "notebooks" / "03_train.ipynb"
# What fits a parameter's annotation.
TYPES = {kind: (kind,) for kind in ("int", "str", "bool", "dict", "list")} | {"float": ("int", "float")}


FIGURE = "figure"  # the tag of cells that only show something: a sweep's runs leave them out


class NotebookError(ValueError):
    """A notebook that cannot be run as it is, or not with what it was given; the text is one sentence."""


# --- what it says -----------------------------------------------------------------------------------------------------


class Parameter(NamedTuple):
    """One line of a notebook's cell of parameters."""

    kind: str  # its annotation, such as "int", or "None" without one
    default: Any


def read(path: Path) -> nbformat.NotebookNode:
    """A notebook's file; raises NotebookError where there is none, or none that can be read."""
    try:
        notebook = nbformat.reads(content_of(path).decode(), as_version=4)
        nbformat.validate(notebook, relax_add_props=True)  # of which reading only warns
        json.dumps(notebook, ensure_ascii=False).encode()  # no half of a surrogate pair: JSON holds one, a file cannot
        return notebook
    except FileNotFoundError as error:
        raise NotebookError(f"the notebook {path} does not exist") from error
    except Exception as error:  # what a damaged file raises has no common base
        cause = "it is no JSON" if isinstance(error, NotJSONError) else text_of(error)[:200]  # and not what it holds
        raise NotebookError(f"{path} is not a readable notebook: {cause}") from error


def kernel_of(path: Path) -> str:
    """The kernel to run a notebook in: the one that it names, if it is installed here, or else Python's own."""
    name = read(path).metadata.get("kernelspec", {}).get("name")
    return name if name in KernelSpecManager().find_kernel_specs() else "python3"


def without_figures(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The notebook as a sweep runs it: without the cells that only show something."""
    cells = [cell for cell in notebook.cells if FIGURE not in cell.metadata.get("tags", ())]
    return nbformat.from_dict({**notebook, "cells": cells})


def parameters(path: Path) -> dict[str, Parameter]:
    """The parameters of a notebook by name; raises NotebookError for a default that is no literal."""
    notebook = read(path)
    tagged = [number for number, cell in enumerate(notebook.cells, 1) if _is_parameters(cell)]
    if len(tagged) > 1:
        cells = " and ".join(map(str, tagged))
        raise NotebookError(f"{path.name} has several cells tagged 'parameters', {cells}: only one can be set")
    if "kernelspec" not in notebook.metadata:
        raise NotebookError(f"{path.name} names no kernel: open it in JupyterLab, choose one, and save it")
    try:
        entries = papermill.inspect_notebook(path) if tagged else {}
    except Exception as error:  # beside ValueError, whatever damaged metadata lead to
        raise NotebookError(f"{path}: {text_of(error)}") from error
    return {
        name: Parameter(entry["inferred_type_name"], _literal(path, name, entry["default"]))
        for name, entry in entries.items()
    }


def _is_parameters(cell: nbformat.NotebookNode) -> bool:
    return "parameters" in cell.metadata.get("tags", ())


def _literal(path: Path, name: str, default: str) -> Any:
    try:
        return ast.literal_eval(default)
    except (ValueError, SyntaxError) as error:
        sentence = f"{path.name}: its parameters cell must hold literals only, but {name!r} is {default}"
        raise NotebookError(sentence) from error


class Notebook:
    """A notebook that trains: its parameters, and the fingerprint of what it runs.

    `also` are further sources that decide a result without being imported by the notebook.
    """

    def __init__(self, path: str | Path, also: Iterable[Path] = ()) -> None:
        self.path, self._also = Path(path).resolve(), tuple(also)
        entries = parameters(self.path)
        if not entries:
            raise NotebookError(f"{self.path.name} has no cell tagged 'parameters': tag the one that a sweep is to set")
        if "folder" not in entries:
            raise NotebookError(f"{self.path.name} has no parameter 'folder', which says where to keep a run")
        self.plain = {"draw": False} if "draw" in entries else {}  # another way to leave out figures
        self.types = {name: entry.kind for name, entry in entries.items() if name not in HOUSEKEEPING}
        self.defaults = {name: entry.default for name, entry in entries.items() if name not in HOUSEKEEPING}
        self._files: list[Path] = []  # that decide the fingerprint
        self._marks: list[tuple[int, int]] = []  # which change with them
        self.fingerprint = self.fingerprint_now()
        self._code = "\n".join(map(_bare, code_of(self.path, defaults=False)))
        knows = "NeuralNetwork" in self._code
        self.names = _names() if knows else {}
        self.settings = _settings() if knows else {}

    @property
    def modules(self) -> list[str]:
        """The names of the modules of this repository that it imports, directly or through others."""
        paths = (path.relative_to(REPOSITORY).with_suffix("") for path in imported(code_of(self.path)))
        return sorted(".".join(path.parts) for path in paths if path.name != "__init__")

    def fingerprint_now(self) -> str:
        """The fingerprint of the code as it is on disk at this moment; it is read only if a file has changed."""
        if not self._files or self._marks != _marks(self._files):
            self._files = [self.path, *self._also, *imported(code_of(self.path))]
            self._marks = _marks(self._files)
            self._last = fingerprint(self.path, self._also)
        return self._last

    def check(self, values: Mapping[str, Iterable[Any]]) -> None:
        """Refuse names that are no parameters, of which papermill would only warn, and values of the wrong type."""
        outer_names = (name.partition(".")[0] for name in values)
        if sentence := first_unknown(outer_names, self.types, f"a parameter of {self.path.name}"):
            raise NotebookError(sentence)
        for name, value in ((name, value) for name, some in values.items() for value in some):
            outer, nested, _ = name.partition(".")
            kind = "dict" if nested else type(value).__name__
            fits = kind in _kinds(self.types[outer], kind)
            if not fits and not (value is None and self.defaults[outer] is None):
                raise NotebookError(
                    f"parameter {name!r} of {self.path.name} is of type {self.types[outer]}, not {value!r}"
                )

    def check_names(self, values: Mapping[str, Iterable[Any]]) -> None:
        """Refuse activations, optimizers and the like that neither the network has nor this notebook adds."""
        for parameter, known in self.names.items():
            for name in _texts(values.get(parameter, ())):
                sentence = first_unknown([name.casefold()], known, f"a known {parameter}")
                if sentence and not self.adds(name):
                    raise NotebookError(sentence)

    def adds(self, name: str) -> bool:
        """Whether the notebook itself brings something that it calls so, such as an activation of its own."""
        word = re.escape(name)
        return bool(re.search(rf"""(['"]){word}\1|\b{word}\s*=""", self._code, re.IGNORECASE))

    def run_name(self, params: Config) -> str:
        """The name of the whole configuration: defaults, and `params` in their place."""
        return run_name(self.defaults | params)


def _texts(values: Iterable[Any]) -> Iterator[str]:
    """Those of the values, and of lists among them, that are text."""
    for value in values:
        yield from filter(lambda item: isinstance(item, str), value if isinstance(value, list) else [value])


def _kinds(annotation: str, otherwise: str) -> list[str]:
    """The types of values that fit an annotation: `int or list`, since papermill reads no `|`; any fits an unknown."""
    return [kind for word in annotation.split(" or ") for kind in TYPES.get(word, (otherwise,))]


def _names() -> dict[str, dict[str, str]]:
    """The names that the network knows, by the parameter that takes them; each with the first of its aliases."""
    from ingredients.recipe import NAMES  # here, since a notebook need not use it
    from nn_core import NeuralNetwork

    tables = {
        "activation": NeuralNetwork.ACTIVATIONS,
        "initializer": NeuralNetwork.INITIALIZERS,
        "loss": NeuralNetwork.LOSSES,
        "optimizer": NeuralNetwork.OPTIMIZERS,
        **NAMES,
    }
    return {parameter: _aliases(table) for parameter, table in tables.items()}


def _settings() -> dict[str, frozenset[str]]:
    """The settings that not every optimizer of the network has; of each, the names of those that have it."""
    from nn_core import NeuralNetwork

    tables = {name.casefold(): set(kind.setting_names()) for name, kind in NeuralNetwork.OPTIMIZERS.items()}
    names = set().union(*tables.values()) - {"learning_rate", "weight_decay"}  # which all configurations may have
    return {name: frozenset(kind for kind, own in tables.items() if name in own) for name in sorted(names)}


def _aliases(table: Mapping[str, object]) -> dict[str, str]:
    first = {id(entry): name.casefold() for name, entry in reversed(table.items())}
    return {name.casefold(): first[id(entry)] for name, entry in table.items()}


# --- what decides its results -----------------------------------------------------------------------------------------


def fingerprint(notebook: str | Path = TRAINING, also: Iterable[Path] = ()) -> str:
    """A short hash of what decides a result: the code of the notebook, of every module of this repository that it
    imports, directly or through others, and of `also`; and NumPy's version.

    Comments, docstrings and layout are no part of it. Whether numba is installed changes the rounding alone, and is
    none either.
    """
    sources = code_of(Path(notebook))
    modules = sorted(imported(sources) | {*also})
    return digest([*map(_bare, sources), *(_bare(_text(path)) for path in modules), version("numpy")])


def _marks(files: Iterable[Path]) -> list[tuple[int, int]]:
    """When files were written, and their lengths; zeros for one that is not there."""
    stats = [path.stat() if path.exists() else None for path in files]
    return [(one.st_mtime_ns, one.st_size) if one else (0, 0) for one in stats]


def imported(sources: Iterable[str]) -> set[Path]:
    """The files of this repository that some code imports, wherever it stands in it, and those that they import."""
    modules: set[Path] = set()
    waiting = {path for source in sources for path in _imports(source)}
    while waiting:
        modules |= waiting
        waiting = {path for module in waiting for path in _imports(_text(module))} - modules
    return modules


def code_of(notebook: Path, defaults: bool = True) -> list[str]:
    """The sources of a notebook's code cells, without those that only show something; with its parameters, or not."""
    cells = without_figures(read(notebook)).cells
    return [cell.source for cell in cells if cell.cell_type == "code" and (defaults or not _is_parameters(cell))]


def digest(content: object) -> str:
    """A short hash of anything that JSON can hold."""
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:12]


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _imports(source: str) -> list[Path]:
    """The files of this repository that the statements of `source` import, packages with their __init__.py."""
    return [path for name in _imported_names(source) for path in _files(name)]


def _files(name: str) -> Iterator[Path]:
    """Where `a.b` lies in this repository: a.py or a/__init__.py, then a/b.py or a/b/__init__.py."""
    parts = name.split(".")
    for k in range(1, len(parts) + 1):
        place = REPOSITORY.joinpath(*parts[:k])
        yield from (path for path in (place.with_suffix(".py"), place / "__init__.py") if path.is_file())


@functools.cache
def _imported_names(source: str) -> set[str]:
    """The dotted names that `source` imports; `a.b` of `from a import b`, which may be a module."""
    names: set[str] = set()
    lines = ("" if re.match(r"\s*[%!]", line) else line for line in source.splitlines())  # IPython's commands
    try:
        tree = ast.parse("\n".join(lines))
    except SyntaxError:  # which only its run can tell
        return names
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


@functools.cache
def _bare(source: str) -> str:
    """Code without comments, docstrings and layout; a cell with IPython's commands as it is."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return source
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            del node.body[0]
    return ast.unparse(tree)
