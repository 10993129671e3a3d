"""What a clone promises before anything is run: pinned packages, a short menu, clean notebooks."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
from collections.abc import Iterable
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import tree
from tree import ROOT

LOCKS = [ROOT / "requirements.lock", ROOT / "requirements-dev.lock"]
NOTEBOOKS = tree.notebooks()


def pins(lock: Path) -> dict[str, str]:
    """Package -> version of every requirement in a lock file."""
    lines = re.sub(r"\\\n", " ", lock.read_text()).splitlines()
    requirements = [Requirement(line.split(" --hash")[0]) for line in lines if line and not line.startswith("#")]
    return {r.name: str(r.specifier) for r in requirements}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_a_lock_pins_everything_with_hashes_and_names_no_index(lock):
    text = lock.read_text()
    requirements = re.split(r"\n(?=\S)", text.strip())
    assert len(requirements) > 100
    assert all("==" in r and "--hash=sha256:" in r for r in requirements)
    assert not re.search(r"https?://|--index|--extra-index|--find-links", text)


def test_developers_have_what_users_have():
    users, developers = map(pins, LOCKS)
    assert users.items() <= developers.items()
    assert {"pytest", "ruff", "hypothesis", "numba"} <= developers.keys() - users.keys()


def test_the_lock_serves_every_supported_python_and_system():
    markers = " ".join(LOCKS[0].read_text().split("\n"))
    assert "sys_platform == 'win32'" in markers  # what only Windows needs is there
    assert "sys_platform == 'darwin'" in markers
    assert re.search(r"python_full_version|python_version", markers)


def test_every_dependency_has_its_reason():
    text = (ROOT / "pyproject.toml").read_text()
    declared = re.findall(r'^    "[a-z0-9-]+[=>].*$', text, re.MULTILINE)
    assert len(declared) > 15
    assert [line for line in declared if not re.search(r'",\s+# \S.{10,}', line)] == []


def test_no_two_files_of_tests_share_a_name():
    """They are modules without a package, so pytest could collect only one of them."""
    names = [path.name for path in tree.files("tests/**/*.py", "benchmarks/*.py")]
    assert {name for name in names if names.count(name) > 1} == set()


def imported(sources: Iterable[Path]) -> set[str]:
    """The top-level names that modules, tests or notebooks import."""
    names = set()
    for path in sources:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".ipynb":
            cells = json.loads(text)["cells"]
            text = "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names.add(node.module.partition(".")[0])
    ours = {path.relative_to(ROOT).parts[0].removesuffix(".py") for path in tree.modules()}
    ours |= {path.stem for path in tree.files("benchmarks/**/*.py", "tests/**/*.py")}
    return names - set(sys.stdlib_module_names) - ours


def test_what_is_imported_is_declared():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    groups = project["dependency-groups"]
    users = {Requirement(line).name for line in project["project"]["dependencies"]}
    optional = {
        Requirement(line).name for lines in project["project"]["optional-dependencies"].values() for line in lines
    }
    peers = users | {Requirement(line).name for line in groups["bench"]}
    developers = users | {Requirement(line).name for line in groups["dev"] + groups["oracles"]}
    owners = {
        name: {owner.lower().replace("_", "-") for owner in some} for name, some in packages_distributions().items()
    }
    searching = [f"lab/search/{name}.py" for name in ("certificates", "cluster", "remote", "watching")]
    extra = tree.files("backends/compiled.py", "backends/kernels.py", *searching)  # what needs an optional extra
    for sources, declared in (
        ([path for path in [*tree.modules(), *NOTEBOOKS] if path not in extra], users),
        (extra, users | optional),
        (tree.files("tests/**/*.py"), developers),
        (tree.files("benchmarks/**/*.py"), peers),
    ):
        assert {name for name in imported(sources) if not owners.get(name, {name}) & declared} == set()


def fresh_environment(folder: Path, with_pip: bool) -> Path:
    venv.create(folder, with_pip=with_pip)
    return folder / os.path.relpath(sysconfig.get_path("scripts"), sys.prefix) / Path(sys.executable).name


@pytest.mark.long
@pytest.mark.kernel
def test_make_and_conda_install_the_same_set(tmp_path):
    """`make env` installs requirements.lock by uv; conda hands the pip part of environment.yml to pip, which would
    take the same, hashes and all: both say so before they have unpacked anything."""
    by_uv, by_pip = fresh_environment(tmp_path / "uv", False), fresh_environment(tmp_path / "pip", True)
    beside = Path(sys.executable).with_name("uv")  # where make puts it, unless it is installed
    uv = shutil.which("uv") or beside
    command = [uv, "pip", "install", "--dry-run", "--python", by_uv, "-r", LOCKS[0]]
    told = subprocess.run(command, check=True, capture_output=True, text=True)
    first = dict(re.findall(r"^ \+ (\S+)==(\S+)$", told.stderr + told.stdout, re.MULTILINE))

    [conda] = [
        d["pip"] for d in yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"] if isinstance(d, dict)
    ]
    listed = tmp_path / "condaenv.requirements.txt"  # conda writes such a file beside environment.yml
    listed.write_text("\n".join(conda))
    shutil.copy(LOCKS[0], tmp_path)
    report = tmp_path / "report.json"
    subprocess.run([by_pip, "-m", "pip", "install", "-q", "--dry-run", "--report", report, "-r", listed], check=True)

    planned = [one["metadata"] for one in json.loads(report.read_text())["install"]]
    assert {canonicalize_name(name): version for name, version in first.items()} == {
        canonicalize_name(one["name"]): one["version"] for one in planned
    }
    assert first["numpy"] == pins(LOCKS[0])["numpy"].removeprefix("==")


@pytest.mark.kernel
def test_a_group_of_tests_can_be_chosen_where_a_fixture_alone_tells_that_they_belong_to_it():
    """`make quick` would run them all otherwise, as it once did."""
    command = [sys.executable, "-m", "pytest", "-n", "0", "--collect-only", "-q", "-p", "no:cacheprovider"]
    command += ["tests/network/test_ingredients_pytorch.py", "-m"]
    chosen, others = (
        subprocess.run([*command, mark], cwd=ROOT, capture_output=True, text=True) for mark in ("torch", "not torch")
    )
    assert "::test_schedules_against_pytorch[" in chosen.stdout
    assert "::test_schedules_against_pytorch[" not in others.stdout


def test_the_menu_offers_what_the_readme_does():
    menu = set(re.findall(r"^([a-z]+):.*## ", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = set(re.findall(r"`?make ([a-z]+)", (ROOT / "README.md").read_text(encoding="utf-8")))
    assert {"test", "lab", "fast", "help"} <= named <= menu
    assert {"all", "env", "data", "sweep", "evaluate", "reports", "lint", "clean"} <= menu


def test_a_page_depends_on_all_that_it_is_made_of():
    """As make itself has understood the Makefile: what is in a folder is there, and nothing is missing."""
    command = ["make", "--print-data-base", "--question", "FASHION_RUNS=somewhere"]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout
    needs = dict(re.findall(r"^(somewhere/\S+|reports/index.html): (.*)$", printed, re.MULTILINE))
    code = {path.relative_to(ROOT).as_posix() for path in tree.modules()} - {"lab/__init__.py"}
    for notebook in NOTEBOOKS:
        assert {f"notebooks/{notebook.name}", "requirements.lock", *code} <= set(
            needs[f"somewhere/notebooks/{notebook.name}"].split()
        )
    assert {f"somewhere/notebooks/{notebook.name}" for notebook in NOTEBOOKS} <= set(
        needs["reports/index.html"].split()
    )
    unseen = {
        name
        for name in code
        if name.startswith(("lab/pages/", "lab/evaluation/", "lab/tabular/", "lab/far/", "report.py"))
    }
    assert {"notebooks/03_train.ipynb", "sweeps/bayes.yaml", *code - unseen} <= set(needs["somewhere/.sweep"].split())
    for chapter in ("04_sweep", "05_evaluation"):
        assert "somewhere/.sweep" in needs[f"somewhere/notebooks/{chapter}.ipynb"].split()


@pytest.mark.kernel
def test_modules_are_installed_where_notebooks_find_them(tmp_path):
    """An editable install, so no notebook needs sys.path, whatever its working directory."""
    code = "import nn_core, fashion_mnist, sweep, report, lab.pages.figures; print(nn_core.__file__)"
    run = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert Path(run.stdout.strip()) == ROOT / "nn_core.py"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_committed_notebook_is_a_clean_source(path):
    notebook = json.loads(path.read_text(encoding="utf-8"))
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert all(not cell["outputs"] and cell["execution_count"] is None for cell in code)
    assert not any("sys.path" in "".join(cell["source"]) for cell in code)
    assert sum("parameters" in cell["metadata"].get("tags", []) for cell in code) == 1


def test_no_commit_names_a_registry_or_a_home():
    """Addresses of package registries and paths of somebody's machine have no place in a repository."""
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listing.returncode:
        pytest.skip("not a git checkout")
    homes = ["/home/" + r"\w+/", "/Users/" + r"\w+/", "/ro" + "ot/"]
    homes.append(re.escape(str(ROOT)) + "/")  # which a page that was built here might have caught
    forbidden = re.compile("|".join(["pypi" + r"\.org", "python" + "hosted", *homes]))
    texts = [ROOT / name for name in listing.stdout.split("\0") if name and not name.endswith(".png")]
    named = [p.name for p in texts if p.exists() and forbidden.search(p.read_text(encoding="utf-8", errors="ignore"))]
    assert named == []
