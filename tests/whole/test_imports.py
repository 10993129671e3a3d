"""Imports go one way, and a wrong one makes `make lint` fail."""

import re
import shutil
import subprocess
import sys
import tomllib

import pytest

import imports
import tree

WRONG = {
    "lab/tracking/upload.py": "from lab.execution import forking",
    "lab/evaluation/scores.py": "import lab.search",
    "lab/pages/figures.py": "from lab.evaluation import scores",
    "lab/execution/forking.py": "def later():\n    import lab.pages",
    "nn_core.py": "from lab import tracking",
    "activations.py": "from backends import plain",
    "backends/plain.py": "import nn_core",
    "common/files.py": "import fashion_mnist",
    "lab/search/stopping.py": "import sweep",
}


def copy(folder):
    """A copy of all that can be imported, and of the rules."""
    for path in [*tree.modules(), tree.ROOT / "pyproject.toml"]:
        copy = folder / path.relative_to(tree.ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    return folder


@pytest.fixture
def copied(tmp_path):
    return copy(tmp_path)


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """What is said of a copy with all the wrong imports."""
    folder = copy(tmp_path_factory.mktemp("wrong"))
    for module, wrong in WRONG.items():
        with open(folder / module, "a", encoding="utf-8") as file:
            file.write(f"\n\n{wrong}\n")
    linted = imports.check(folder)
    assert linted.returncode == 1, linted.stdout + linted.stderr
    return linted.stdout


def test_as_they_are_they_keep_the_rules(copied):
    linted = imports.check(copied)
    assert linted.returncode == 0, linted.stdout + linted.stderr


@pytest.mark.parametrize(("module", "wrong"), WRONG.items())
def test_a_wrong_import_is_named(said, module, wrong):
    imported = re.search(r"(?:from|import) (\S+)", wrong)[1]
    assert f"{module.removesuffix('.py').replace('/', '.')} -> {imported}" in said


def test_the_network_imports_numpy_and_the_standard_library_alone(copied):
    assert imports.foreign(copied) == []
    with open(copied / "losses.py", "a", encoding="utf-8") as file:
        file.write("\n\ndef later():\n    from scipy.special import softmax\n    import numpy.linalg, json, backends\n")
    assert [said.split(":")[0] for said in imports.foreign(copied)] == ["losses imports scipy"]


def test_a_new_room_of_the_lab_needs_its_place(copied):
    (copied / "lab" / "cellar").mkdir()
    (copied / "lab" / "cellar" / "__init__.py").touch()
    linted = imports.check(copied)
    assert linted.returncode == 1
    assert "lab.cellar" in linted.stdout


def test_an_exception_that_nothing_needs_any_more_is_an_error(copied):
    rules = (copied / "pyproject.toml").read_text(encoding="utf-8")
    rules = re.sub(r"ignore_imports = \[[^]]*\]", "", rules) + 'ignore_imports = ["lab.tracking -> lab.pages"]\n'
    (copied / "pyproject.toml").write_text(rules, encoding="utf-8")
    linted = imports.check(copied)
    assert linted.returncode == 1
    assert "No matches for ignored import lab.tracking -> lab.pages" in linted.stdout + linted.stderr


def test_nothing_at_the_top_is_left_out():
    rules = tomllib.loads((tree.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    layers = " ".join(next(contract["layers"] for contract in rules["contracts"] if contract["id"] == "house"))
    assert imports.names(tree.ROOT) == set(rules["root_packages"])
    assert imports.names(tree.ROOT) <= set(re.findall(r"\w+", layers))


@pytest.mark.kernel
@pytest.mark.parametrize("front", ["report", "sweep", "lab.pages.exporter", "lab.tabular.table"])
def test_no_front_waits_for_a_grammar_that_nobody_needs(front):
    """It compiles for two seconds, and whatever is imported first decides whether it does."""
    code = f"import {front}, sys; print('nbformat' in sys.modules, 'rfc3987_syntax.syntax_helpers' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=tree.ROOT, capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["True", "False"], done.stderr
