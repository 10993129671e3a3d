"""Each notebook runs from an empty kernel, from any working directory; only evaluations open the test images."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest
import yaml

import fashion_mnist
import tree
from activations import ACTIVATIONS
from lab.execution.notebook import FIGURE
from lab.pages import site
from lab.pages.preprocessors import TAGS
from nn_core import NeuralNetwork, softmax
from tree import ROOT

NOTEBOOKS = tree.notebooks()
SWEEP, EVALUATION = "04_sweep", "05_evaluation"
WINNER = "lab/far/final.py"  # shows the test images to the winner of `make far`, for chapter 8
SMALL_SWEEP = {
    "name": "small",
    "method": "random",
    "run_cap": 3,
    "metric": {"name": "validationaccuracy", "goal": "maximize"},
    "parameters": {
        "limit": {"value": 1000},
        "max_epochs": {"value": 1},
        "layers": {"values": [1, 2]},
        "num_hidden_neurons": {"values": [8, 16]},
        "activation": {"values": ["RELU", "TANH"]},
        "optimizer": {"values": ["ADAM", "NAG"]},
    },
}
SMALL = {  # in the order in which they are run
    "01_dataset": {"limit": 2000},
    "02_model": {"limit": 2000, "max_epochs": 2},
    "03_train": {"limit": 1000, "max_epochs": 2},
    "04_sweep": {"resamples": 5},
    "05_evaluation": {"sweep_names": "[small, next]", "seeds": "[1, 2]", "limit": 1000},
    "06_benchmark": {"limit": 500, "rounds": 2},
    "07_every_configuration": {"replays": 20},
    "08_how_far": {"table_file": "none", "test_file": "none", "twin_file": "none"},
    "09_your_own_picture": {"sweep_names": "[small, next]", "seeds": "[1, 2]", "limit": 1000},
}


each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def heading_lines(source: str) -> list[str]:
    """The headings in a cell of text."""
    return [line for line in source.splitlines() if re.match("#+ ", line)]


def code_cells(path: Path) -> list[str]:
    return [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


# --- What notebooks are ---


def test_there_is_a_small_run_for_each_notebook():
    assert [path.stem for path in NOTEBOOKS] == list(SMALL)


@each_notebook
def test_parameters_are_literals_with_type_and_meaning(path):
    cells = nbformat.read(path, as_version=4).cells
    [source] = [cell.source for cell in cells if "parameters" in cell.metadata.get("tags", [])]
    statements = ast.parse(source).body
    assert all(isinstance(statement, ast.AnnAssign) for statement in statements)
    for statement in statements:
        ast.literal_eval(statement.value)
    assert all("  # " in line for line in source.splitlines())


@each_notebook
def test_a_notebook_opens_with_its_story_and_links_to_others_that_exist(path):
    cells = nbformat.read(path, as_version=4).cells
    assert cells[0].cell_type == "markdown"
    assert cells[0].source.startswith("# ")
    assert "**Goal.**" in cells[0].source
    links = {
        part.split(")")[0] for cell in cells if cell.cell_type == "markdown" for part in cell.source.split("](")[1:]
    }
    assert {link for link in links if link.endswith(".ipynb") and not (path.parent / link).exists()} == set()


@each_notebook
def test_tags_are_those_that_a_report_knows(path):
    cells = nbformat.read(path, as_version=4).cells
    assert {tag for cell in cells for tag in cell.metadata.get("tags", [])} <= TAGS


@each_notebook
def test_one_cell_of_code_opens_the_page_with_what_was_found(path):
    cells = nbformat.read(path, as_version=4).cells
    assert [cell.cell_type for cell in cells if "found" in cell.metadata.get("tags", [])] == ["code"]


@each_notebook
def test_there_is_nothing_in_the_outputs(path):
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    assert [cell.id for cell in cells if cell.outputs or cell.execution_count is not None] == []


@each_notebook
def test_parameters_come_first_then_all_imports(path):
    """Only drawing may be imported later, in a cell that a sweep leaves out, so that its runs need not wait for it."""
    first, imports, *others = [c for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code"]
    assert first.metadata.get("tags") == ["parameters"]
    assert "import " in imports.source
    assert not ("folder:" in first.source and re.search("figures|matplotlib", imports.source))
    for cell in others:
        imported = any(isinstance(node, ast.Import | ast.ImportFrom) for node in ast.walk(ast.parse(cell.source)))
        assert not imported or FIGURE in cell.metadata.get("tags", [])


@each_notebook
def test_headings_are_one_title_and_its_sections(path):
    markdown = [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "markdown"]
    levels = [len(line.split()[0]) for source in markdown for line in heading_lines(source)]
    assert levels[0] == 1
    assert set(levels[1:]) <= {2, 3}


@each_notebook
def test_it_ends_with_what_was_found_computed_and_leads_on(path):
    cells = nbformat.read(path, as_version=4).cells
    [place] = [k for k, cell in enumerate(cells) if cell.id == "findings"]
    assert re.search(r"\b(say|Markdown)\(", cells[place].source)
    assert place >= len(cells) - 4
    assert cells[-1].cell_type == "markdown"
    for following in NOTEBOOKS[NOTEBOOKS.index(path) + 1 :][:1]:
        assert f"]({following.name})" in cells[-1].source


@each_notebook
def test_every_figure_that_is_made_is_shown_with_an_alt_text_of_its_own(path):
    for source in code_cells(path):
        shown = re.findall(r"figures\.show\(|interactive\.\w+\(", source)
        assert source.count("plt.subplots(") == len(shown), source
        assert "plt.show(" not in source


def test_the_code_beside_the_formulas_is_the_network():
    """The lines of the table in 02, run in the order of the table, give the loss's gradient."""
    [table] = [c.source for c in nbformat.read(ROOT / "notebooks/02_model.ipynb", 4).cells if c.id == "batches"]
    lines = re.findall(r"`([^`]+)` \|$", table, re.MULTILINE)
    assert len(lines) == 8
    rng = np.random.default_rng(0)
    net = NeuralNetwork(inputs=4, layers=2, num_hidden_neurons=3, classes=5, activation="gelu", dtype="float64")
    net.theta[:] = rng.normal(size=net.theta.size)
    x, labels, L = rng.normal(size=(6, 4)), np.array([0, 4, 2, 1, 1, 3]), 3
    g = ACTIVATIONS["gelu"]
    names = dict(W=net.weights, b=net.biases, g=g.function, g_prime=lambda a: g.gradient(a, g.function(a)), L=L, B=6)
    names |= dict(softmax=softmax, y=np.eye(5)[labels], a={}, h={0: x}, grad_a={}, grad_W={}, grad_b={})
    forwards, output, backwards, to_parameters = lines[:2], lines[2:4], lines[4:6], lines[6:]
    for k in (1, 2, 3):
        exec("\n".join(forwards), names | {"k": k})
    exec("\n".join(output), names)
    for k in (3, 2):
        exec("\n".join(backwards), names | {"k": k})
    for k in (1, 2, 3):
        exec("\n".join(to_parameters), names | {"k": k})
    net.backpropagate(x, labels)
    lens = NeuralNetwork(**net.config)
    lens.theta[:] = net.gradient
    for k in (1, 2, 3):
        np.testing.assert_allclose(names["grad_W"][k], lens.weights[k], atol=1e-12)
        np.testing.assert_allclose(names["grad_b"][k], lens.biases[k], atol=1e-12)


# --- Who opens the test images ---


def opens_test_images(source: str) -> bool:
    """Whether code reads the attribute `test` of anything, names its files, or goes round `load` to find them."""
    tree = ast.parse("\n".join("" if line.lstrip().startswith(("%", "!")) else line for line in source.splitlines()))
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in ("test", "DATA", "_open", "_find", "_open_array"):
            return True
        text = node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
        if text == "test" or any(name in text for name in ("test-images", "test-labels", "t10k")):
            return True
    return False


@pytest.mark.parametrize(
    "source",
    [
        "d.test",
        "load().test.images",
        "getattr(d, 'test')",
        "open('data/t10k-images-idx3-ubyte')",
        "np.load('data/test-images.npy')",
        "np.load(f'{folder}/test-labels.npy')",
        "[np.load(path) for path in fashion_mnist.DATA.glob('*.npy')]",
    ],
)
def test_the_check_below_notices(source):
    assert opens_test_images(source)


def test_no_other_module_and_no_other_notebook_asks_for_the_test_images():
    modules = [path for path in tree.modules() if path.stem != "fashion_mnist"]
    sources = {path.relative_to(tree.ROOT).as_posix(): path.read_text(encoding="utf-8") for path in modules}
    sources |= {path.stem: "\n".join(code_cells(path)) for path in NOTEBOOKS}
    assert len(sources) == len(modules) + len(NOTEBOOKS)
    assert {name for name, source in sources.items() if opens_test_images(source)} == {EVALUATION, WINNER}


# --- That they run ---


def environment(runs: Path, data: Path) -> dict[str, str]:
    return os.environ | {"FASHION_RUNS": str(runs), "FASHION_MNIST_DIR": str(data), "WANDB_MODE": "offline"}


def execute(name: str, cwd: Path, env: dict[str, str], **more: str) -> subprocess.CompletedProcess:
    parameters = [word for item in (SMALL[name] | more).items() for word in ("-p", *map(str, item))]
    command = [sys.executable, ROOT / "report.py", "run", ROOT / "notebooks" / f"{name}.ipynb", *parameters]
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=300)


def executed(runs: Path, name: str) -> list[nbformat.NotebookNode]:
    return nbformat.read(runs / "notebooks" / f"{name}.ipynb", as_version=4).cells


def link_data(folder: Path, *parts: str) -> Path:
    """The data folder, and in it the real files of some parts."""
    if not fashion_mnist.DATA.joinpath("train-images.npy").exists():
        assert not os.environ.get("CI"), "the data set is missing: `make data` comes before the tests"
        pytest.skip("the data set is not there: run `make data`")
    folder.mkdir(exist_ok=True)
    for path in fashion_mnist.DATA.glob("*.npy"):
        if path.name.startswith(parts):
            shutil.copy(path, folder)
    return folder


def poison(folder: Path) -> Path:
    """The data folder, in which whoever opens the test images fails from now on."""
    for name in ("test-images.npy", "test-labels.npy"):
        (folder / name).write_bytes(b"whoever opens this fails")
    return folder


@pytest.fixture
def poisoned(tmp_path):
    return poison(link_data(tmp_path / "poisoned", "train"))


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """The folder of runs, started from a working directory in which nothing may be left."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    yield tmp_path / "runs"
    assert list(elsewhere.iterdir()) == []


def run_notebook(name: str, runs: Path, data: Path, **more: str) -> None:
    result = execute(name, Path.cwd(), environment(runs, data), **more)
    assert result.returncode == 0, result.stderr + result.stdout


def pages(runs: Path, *names: str) -> set[str]:
    """What is built from these notebooks."""
    sources = runs.parent / "sources"
    sources.mkdir()
    for name in names:
        shutil.copy(ROOT / "notebooks" / f"{name}.ipynb", sources)
    site.build(sources, runs / "notebooks", runs.parent / "reports")
    return {path.stem for path in runs.parent.glob("reports/*.html")}


@pytest.mark.kernel
def test_whoever_opens_the_test_images_that_others_may_not_fails(poisoned, tmp_path):
    command = [sys.executable, "-c", "import fashion_mnist; fashion_mnist.load().test"]
    tried = subprocess.run(command, env=environment(tmp_path, poisoned), capture_output=True, text=True)
    assert tried.returncode == 1
    assert "test-images.npy" in tried.stderr


@pytest.mark.long
@pytest.mark.kernel
def test_a_notebook_runs_and_is_a_page(runs, poisoned):
    """Without a server nobody watches it learn, and no curves are drawn. As a person runs it: test_jupyterlab.py."""
    run_notebook("03_train", runs, poisoned)
    [training] = [cell for cell in executed(runs, "03_train") if cell.id == "training"]
    assert [output for output in training.outputs if output.output_type == "display_data"] == []
    assert pages(runs, "03_train") == {"03_train", "index"}


OTHERS_WORDS = {  # a list of widths, a setting that one optimizer has alone, and seeds
    "hidden_layer_sizes": {"values": [8, [16, 8]]},
    "optim": {"values": ["adam", "momentum"]},
    "momentum": {"value": 0.8},
    "lr": {"values": [0.001, 0.01]},
    "epochs": {"value": 1},
    "limit": {"value": 1000},
}


@pytest.mark.long
@pytest.mark.kernel
def test_the_chapter_on_a_sweep_takes_others_words_and_a_loss_and_goes_by_the_mean_over_seeds(runs, poisoned, tmp_path):
    file, minimizing = tmp_path / "small.yaml", {"metric": {"name": "validationloss", "goal": "minimize"}}
    enough = {"seeds": 2, "run_cap": 4}  # to say which parameters matter
    asked = SMALL_SWEEP | minimizing | enough | {"parameters": OTHERS_WORDS}
    file.write_text(yaml.safe_dump(asked), encoding="utf-8")
    run_notebook(SWEEP, runs, poisoned, sweep_file=file, next_file="")
    found = {}
    for path in runs.glob("small/*/record.json"):
        record = json.loads(path.read_text("utf-8"))
        alike = json.dumps({name: value for name, value in record["config"].items() if name != "seed"})
        found.setdefault(alike, {})[record["config"]["seed"]] = record["history"][-1]["validationloss"]
    assert [sorted(values) for values in found.values()] == [[0, 1]] * 4
    first, *_ = ordered = sorted(found.values(), key=lambda values: sum(values.values()))
    [opening] = [cell for cell in executed(runs, SWEEP) if "found" in cell.metadata.get("tags", [])]
    said = (
        f"The best of 4 configurations, by the mean of 2 seeds, has a validation loss of {sum(first.values()) / 2:.4g}"
    )
    assert said in opening.outputs[0].data["text/markdown"]
    least = min(min(values.values()) for values in ordered)
    assert f"{least:.4g} in the end" in opening.outputs[1].metadata["image/png"]["alt"]
    pages = [nbformat.read(runs / "notebooks" / "runs" / f"{k:02}.ipynb", as_version=4) for k in range(1, 9)]
    values = [values[seed] for values in ordered for seed in (0, 1)]
    titles = [f"# Run {k}: validation loss {value:.4g}" for k, value in enumerate(values, 1)]
    assert [page.cells[0].source for page in pages] == titles


@pytest.mark.long
@pytest.mark.kernel
def test_sweeps_lead_to_an_evaluation_and_both_are_pages(runs, poisoned, tmp_path):
    files = {"sweep_file": tmp_path / "small.yaml", "next_file": tmp_path / "next.yaml"}
    files["sweep_file"].write_text(yaml.safe_dump(SMALL_SWEEP), encoding="utf-8")
    following = SMALL_SWEEP | {"name": "next", "method": "bayes", "confirm": {"best": 2, "seeds": 2}}
    files["next_file"].write_text(yaml.safe_dump(following), encoding="utf-8")
    run_notebook(SWEEP, runs, poisoned, **files)
    run_notebook(EVALUATION, runs, link_data(tmp_path / "whole", "train", "test"))
    assert not (runs / "results.json").exists()  # a quick look is no result
    assert pages(runs, SWEEP, EVALUATION) == {SWEEP, EVALUATION, "index"}
