"""How one starts without make: what Binder installs, what is cited, what git keeps of a notebook."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

import fashion_mnist
import tree
from tree import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
UV = shutil.which("uv") or Path(sys.executable).with_name("uv")  # where make puts it, unless it is installed


@pytest.fixture
def clone(tmp_path) -> Path:
    """A copy of what the repository holds, but for what is built."""
    folder = tmp_path / "clone"
    others = tree.files("lab/pages/*.mplstyle", "notebooks/*.ipynb", ".binder/*", "*.toml", "*.lock", "README.md")
    for path in [*tree.modules(), *others]:
        copy = folder / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, copy)
    return folder


@pytest.fixture
def environment(tmp_path) -> dict[str, str]:
    """An empty environment, first on the path."""
    subprocess.run([UV, "venv", "--quiet", "--seed", "--python", sys.executable, tmp_path / "empty"], check=True)
    python = next((tmp_path / "empty").glob("[bS][ic][nr]*/python*"))
    apart = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    data = {"FASHION_MNIST_DIR": str(fashion_mnist.DATA)}
    return apart | data | {"PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}", "PYTHON": str(python)}


@pytest.mark.long
@pytest.mark.kernel
@pytest.mark.service
def test_what_binder_reads_makes_an_environment_in_which_notebooks_run(clone, environment):
    """As repo2docker does: the requirements from the top of the repository, then postBuild."""
    install = [UV, "pip", "install", "--quiet", "--python", environment["PYTHON"]]
    subprocess.run([*install, "--requirement", ".binder/requirements.txt"], cwd=clone, env=environment, check=True)
    assert os.access(clone / ".binder" / "postBuild", os.X_OK)
    built = run(clone / ".binder" / "postBuild", cwd=clone, env=environment)
    assert built.returncode == 0, built.stderr
    [imports] = [cell for cell in cells(clone / "notebooks" / "01_dataset.ipynb") if cell["id"] == "imports"]
    code = "".join(imports["source"]) + "\nimport jupyterlab; print(fashion_mnist.__file__)"
    ran = run(environment["PYTHON"], "-c", code, cwd=clone / "notebooks", env=environment)
    assert ran.stdout.strip() == str(clone / "fashion_mnist.py"), ran.stderr


def test_binder_takes_a_python_that_the_project_supports():
    version = (ROOT / ".binder" / "runtime.txt").read_text().strip()
    assert version == "python-" + PROJECT["requires-python"].removeprefix(">=")


def test_the_short_requirements_are_the_project_itself():
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    assert [line for line in lines if not line.startswith("#")] == ["--editable ."]


def test_what_is_cited_is_this_project():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert {"cff-version", "message", "title", "authors"} <= cited.keys()
    assert (cited["version"], cited["license"]) == (PROJECT["version"], PROJECT["license"])
    holder = re.search(r"Copyright \(c\) \d+ (.*)", (ROOT / "LICENSE").read_text())[1]
    assert holder in [author.get("name") for author in cited["authors"]]


def test_contributing_is_one_screen_with_three_commands():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 40
    assert len(re.search(r"```sh\n(.*?)```", text, re.DOTALL)[1].splitlines()) == 3


def run(*words: str | Path, **options) -> subprocess.CompletedProcess:
    return subprocess.run(words, capture_output=True, text=True, **options)


def cells(notebook: Path) -> list[dict]:
    return json.loads(notebook.read_text(encoding="utf-8"))["cells"]


@pytest.mark.kernel
def test_git_leaves_out_of_a_commit_what_a_notebook_shows(tmp_path):
    """With the filter that `make lab` sets, as make itself has understood it."""

    def git(*words):
        name = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
        return subprocess.run(["git", *name, *words], cwd=tmp_path, check=True, capture_output=True, text=True).stdout

    (tmp_path / ".venv").symlink_to(Path(sys.executable).parents[1])
    (tmp_path / ".gitignore").write_text(".venv\n")
    command = ["make", "--dry-run", "--no-print-directory", "lab"]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    git("init", "--quiet")
    [line] = re.findall(r"^git config filter.*", printed, re.MULTILINE)
    subprocess.run(line, shell=True, cwd=tmp_path, check=True)
    shutil.copy(ROOT / ".gitattributes", tmp_path)
    source = tree.notebooks()[0].read_text(encoding="utf-8")
    (tmp_path / "a.ipynb").write_text(source, encoding="utf-8")
    git("add", "--all")
    git("commit", "--quiet", "--message", "A")
    ran = json.loads(source)
    ran["metadata"]["language_info"] = {"name": "python", "version": "3.99"}
    for cell in (cell for cell in ran["cells"] if cell["cell_type"] == "code"):
        cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": ["x"]}]
        cell["execution_count"] = 1
    (tmp_path / "a.ipynb").write_text(json.dumps(ran, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    assert git("diff") == ""
    git("add", "--all")
    assert git("show", ":a.ipynb") == source
