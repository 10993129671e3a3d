"""What README and `docs/` say is so: their examples as pasted, their commands, their links."""

import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import papermill.cli
import pytest
import yaml

import activations
import optimizers
import tree
from lab.execution.notebook import parameters
from lab.pages import command
from lab.search import command as sweeping
from nn_core import NeuralNetwork
from tree import ROOT

PAGES = tree.files("*.md", "docs/*.md")
TEXTS = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in PAGES}
CODE = re.findall(r"```python\n(.*?)```", TEXTS["README.md"], re.DOTALL)
COMMANDS = [
    line
    for text in TEXTS.values()
    for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    for line in block.splitlines()
]
ADDED = {"optimizers.py": "lion", "activations.py": "softplus"}  # which file the examples belong into, and their names


def blocks_for(file: str) -> list[str]:
    """The examples that add to the dictionary of a file."""
    return [block for block in CODE if f'{file.removesuffix(".py").upper()}["' in block]


# --- Examples ---


def test_each_example_adds_to_one_file():
    assert sorted(CODE) == sorted(block for file in ADDED for block in blocks_for(file))


def test_what_the_examples_add_trains(monkeypatch):
    monkeypatch.setattr(activations, "ACTIVATIONS", dict(activations.ACTIVATIONS))
    monkeypatch.setattr(optimizers, "OPTIMIZERS", dict(optimizers.OPTIMIZERS))
    monkeypatch.setattr(NeuralNetwork, "ACTIVATIONS", activations.ACTIVATIONS)
    monkeypatch.setattr(NeuralNetwork, "OPTIMIZERS", optimizers.OPTIMIZERS)
    names = {**vars(activations), **vars(optimizers), "dataclass": dataclass, "np": np}
    for block in CODE:
        exec(block, names)
    images = np.random.default_rng(0).random((200, 6))
    labels = (images[:, 0] > 0.5).astype(int)
    net = NeuralNetwork(optimizer="lion", activation="softplus", beta1=0.95, inputs=6, learning_rate=0.01, seed=1)
    losses = [epoch["loss"] for epoch in net.train((images, labels))]
    assert losses[-1] < losses[0]


@pytest.fixture
def pasted(tmp_path) -> Path:
    """A copy of the tree whose files hold the examples, at their ends."""
    folder = tmp_path / "pasted"
    tests = tree.files("tests/kit/*", "tests/network/*", "tests/backends/*", "tests/conftest.py")
    caches = (ROOT / "backends" / "__pycache__").glob("*")  # of which there may be none yet
    for path in [*tree.modules(), *tests, *caches, ROOT / "pyproject.toml"]:
        if path.is_file():
            copy = folder / path.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, copy)  # with its time, by which numba knows a kernel that it has compiled
    for file in ADDED:
        with open(folder / file, "a", encoding="utf-8") as opened:
            opened.writelines(f"\n\n{block}" for block in blocks_for(file))
    return folder


@pytest.mark.long
@pytest.mark.kernel
def test_put_into_the_files_they_leave_every_test_green(pasted):
    """All tests that are named after them, that draw from the dictionaries, or that add to these themselves."""
    chosen = " or ".join([*ADDED.values(), "finite_input", "large_inputs", "gradient_is_that_of", "new_", "listed"])
    command = [sys.executable, "-m", "pytest", "-n", "0", "-q", "-p", "no:cacheprovider", "--junitxml=found.xml"]
    command += ["-m", "not torch and not kernel", "-k", chosen, "tests"]
    environment = os.environ | {"PYTHONPATH": str(pasted)}  # before this tree, which is installed
    done = subprocess.run(command, cwd=pasted, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    ran = [case.get("name") for case in ElementTree.parse(pasted / "found.xml").iter("testcase")]
    counted = {name: sum(bool(re.search(rf"[\[-]{name}[\]-]", test)) for test in ran) for name in ADDED.values()}
    assert all(number > 10 for number in counted.values()), counted


# --- Commands ---


class Parsed(Exception):
    """Raised with what a parser has understood, before anything is done."""


@pytest.fixture
def parsed(monkeypatch):
    """`parsed(words)` is what the front door of such a command understands."""
    parse = argparse.ArgumentParser.parse_args

    def stop(parser, arguments=None, namespace=None):
        raise Parsed(parse(parser, arguments, namespace))

    def understand(words):
        with pytest.raises(Parsed) as caught:
            {"sweep.py": sweeping.main, "report.py": command.main}[words[0]](words[1:])
        return vars(caught.value.args[0])

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", stop)
    return understand


def words_after(program: str) -> list[list[str]]:
    """The command lines that call a program, split into words, from the program on."""
    lines = [shlex.split(line, comments=True) for line in COMMANDS]
    return [words[words.index(program) :] for words in lines if program in words]


@pytest.mark.parametrize("program", ["sweep.py", "report.py"])
def test_its_command_lines_are_understood(program, parsed):
    commands = words_after(program)
    assert commands
    for words in commands:
        given = parsed(words)
        for name in ("file", "notebook"):
            assert (ROOT / (given.get(name) or "")).exists(), words


def test_the_front_doors_refuse_what_a_reader_might_mistype(parsed):
    with pytest.raises(SystemExit):
        parsed(["sweep.py", "run", "sweeps/bayes.yaml", "--cuont", "50"])


def test_papermill_understands_its_lines_and_the_notebook_their_parameters():
    asked = set()
    for words in words_after("papermill"):
        given = papermill.cli.papermill.make_context("papermill", words[1:]).params
        names = {name for text in given["parameters_yaml"] for name in yaml.safe_load(text)}
        assert names <= parameters(ROOT / given["notebook_path"]).keys()
        asked |= names
    assert {"optimizer", "learning_rate", "dropout"} <= asked


# --- Links ---


@pytest.mark.parametrize("name", TEXTS)
def test_its_links_lead_to_files(name):
    links = re.findall(r"\]\(([^)#:\s]+)(?:#[\w-]*)?\)", TEXTS[name])
    missing = [link for link in links if not (ROOT / name).parent.joinpath(link).exists()]
    assert missing == []


# --- README itself ---


def test_it_is_read_in_a_few_minutes():
    assert len([word for word in TEXTS["README.md"].split() if re.search(r"\w", word)]) <= 900


def test_its_map_shows_all_that_is_at_the_top_and_every_room_of_the_lab():
    *_, shown = re.findall(r"```text\n(.*?)```", TEXTS["README.md"], re.DOTALL)
    names = {name for line in shown.splitlines() for name in line[:19].split()}
    packages = [path.parent.relative_to(ROOT) for path in tree.files("*/__init__.py", "lab/*/__init__.py")]
    folders = ("benchmarks", "docs", "notebooks", "reports", "sweeps", "tests", "tables", *map(Path.as_posix, packages))
    assert {f"{name}/" for name in folders if name != "lab"} | {path.name for path in tree.files("*.py")} <= names
