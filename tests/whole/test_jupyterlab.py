"""A person's way through the notebooks: each is opened in a real JupyterLab, in Chromium, and run as a whole."""

import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import nbformat
import pytest
import yaml
from nbformat.v4 import new_code_cell, new_notebook
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook
from test_notebooks import EVALUATION, NOTEBOOKS, SMALL, SMALL_SWEEP, SWEEP, environment, link_data, poison

from page_kit import KERNEL
from tree import ROOT

ANSWERS = """
import matplotlib.pyplot as plt, numpy as np, pandas as pd
from lab.pages import interactive

runs = pd.DataFrame({"name": ["a", "b"], "layers": [1, 2], "validationaccuracy": [0.8, 0.9]})
interactive.parallel_coordinates(plt.figure(), "Two runs", runs, ["layers"])
labels, guesses = [0, 1], np.array([[[0.9, 0.1], [0.8, 0.2]]])
interactive.confusion(plt.figure(), "Two classes", ["Coat", "Shirt"], labels, guesses, np.zeros((2, 784), np.uint8))
"""


FRONT = ".jp-NotebookPanel:not(.lm-mod-hidden)"  # of the notebooks that are open, the one that is seen
ERRORS = f"{FRONT} [data-mime-type='application/vnd.jupyter.stderr']"  # where JupyterLab shows them, beside warnings
IDLE = re.compile(r"Python 3.* \| Idle")
TOLD = "Traceback (most recent call last)"  # which these do not say


@pytest.fixture
def folder(tmp_path) -> Path:
    """Where JupyterLab finds its notebooks: one so far, with the figures that answer."""
    notebooks = tmp_path / "notebooks"
    notebooks.mkdir()
    write(notebooks / "answers.ipynb", ANSWERS.strip())
    return notebooks


def write(path: Path, *cells: str) -> None:
    """A notebook of such cells of code."""
    nbformat.write(new_notebook(cells=[new_code_cell(cell) for cell in cells], metadata=KERNEL), path)


@pytest.fixture
def chapters(folder, tmp_path) -> None:
    """Copies of the notebooks beside it, with small parameters: the smallest sweep is a single run."""
    file = tmp_path / "small.yaml"
    file.write_text(yaml.safe_dump(SMALL_SWEEP | {"run_cap": 1}), encoding="utf-8")
    for path in NOTEBOOKS:
        given = {name: yaml.safe_load(str(value)) for name, value in SMALL[path.stem].items()}
        if path.stem == SWEEP:
            given |= {"sweep_file": str(file), "next_file": ""}
        elif "sweep_names" in given:
            given["sweep_names"] = ["small"]
        nbformat.write(parameterize_notebook(load_notebook_node(str(path)), given), folder / path.name)


@pytest.fixture
def lab(folder, tmp_path):
    """JupyterLab as `make lab` starts it, on this machine alone, with settings of its own.

    Where it shows their folder.
    """
    settings = tmp_path / "settings" / "@jupyterlab" / "notebook-extension" / "tracker.jupyterlab-settings"
    settings.parent.mkdir(parents=True)
    settings.write_text(json.dumps({"windowingMode": "none"}))  # so that cells out of sight can be looked at too
    news = settings.parents[1] / "apputils-extension" / "notification.jupyterlab-settings"
    news.parent.mkdir()
    news.write_text(json.dumps({"fetchNews": "false", "checkForUpdates": False}))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex(16)
    env = environment(tmp_path / "runs", link_data(tmp_path / "data", "train", "test"))
    env |= {f"JUPYTER_{kind}_DIR": str(tmp_path / "jupyter") for kind in ("CONFIG", "DATA", "RUNTIME")}
    env |= {"JUPYTERLAB_SETTINGS_DIR": str(settings.parents[2]), "JUPYTERLAB_WORKSPACES_DIR": str(tmp_path / "spaces")}
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1"]
    command += [f"--ServerApp.port={port}", "--ServerApp.port_retries=0", f"--IdentityProvider.token={token}"]
    command += re.search(r"bin/jupyter lab (.*)", (ROOT / "Makefile").read_text().replace("$(BIN)", "bin"))[1].split()
    with open(tmp_path / "lab.log", "wb") as log:
        server = subprocess.Popen(command, cwd=folder.parent, env=env, stdout=log, stderr=log)
    try:
        for _ in range(300):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/api?token={token}", timeout=5)
                break
            except OSError:
                assert server.poll() is None, (tmp_path / "lab.log").read_text()
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}/lab/tree/notebooks?reset&token={token}"
    finally:
        server.terminate()  # it ends its kernels too
        try:
            server.wait(timeout=20)
        except subprocess.TimeoutExpired:
            server.kill()


@pytest.fixture
def opened(browser, lab, tmp_path):
    """`opened(name)` is JupyterLab with a notebook in front and its kernel; how it ends is kept as a picture."""
    with browser.new_context(viewport={"width": 1440, "height": 900}) as context:
        page = context.new_page()
        page.set_default_timeout(60_000)

        @contextmanager
        def open_one(name):
            if page.url == "about:blank":
                page.goto(lab)  # which lists the notebooks that there are by now
            page.locator(".jp-DirListing-itemText").get_by_text(name, exact=True).dblclick()
            page.locator(f"{FRONT} .jp-CodeCell").first.wait_for()
            page.get_by_text(IDLE).wait_for()  # the status bar: the kernel is there
            try:
                yield page
            finally:  # most of all when it has failed
                page.screenshot(path=pictures(tmp_path) / f"{name}.png")

        yield open_one


@pytest.mark.long
@pytest.mark.kernel
def test_every_notebook_runs_in_jupyterlab_and_one_alone_with_the_test_images(opened, chapters, tmp_path):
    for path in NOTEBOOKS:
        data = link_data(tmp_path / "data", "test")
        if path.stem != EVALUATION:
            poison(data)
        with opened(path.name) as page:
            assert not changed(page), path.name
            run_all(page)
            assert errors(page) == [], path.name
            if path.stem == "03_train":  # all curves that grew while it learnt were one picture
                training = page.locator(".jp-CodeCell").filter(has_text="in net.train(train, validation):")
                assert training.locator(".jp-RenderedImage img").count() == 1
            if path.stem == SWEEP:
                assert page.get_by_text("; of 1 at random, there is no other. The best has ").count() == 1


@pytest.mark.kernel
def test_figures_answer_and_a_cell_that_fails_is_noticed(opened, folder):
    write(folder / "fails.ipynb", "1 / 0", "'never reached'")
    with opened("answers.ipynb") as page:
        run_all(page)
        assert errors(page) == []
        assert page.locator("figure.live .run").count() == 2  # the script works there as in the reports
        page.get_by_role("button", name="Shirt taken for Coat: 1 of 1").click()
        assert page.locator(".mistakes li").inner_text().split() == ["80.0", "%", "sure"]
    with opened("fails.ipynb") as page:
        run_all(page)
        [error] = errors(page)
        assert "ZeroDivisionError" in error


@pytest.mark.kernel
def test_the_whole_repository_is_there_and_a_notebook_that_is_opened_is_not_changed(opened, folder):
    shutil.copy(NOTEBOOKS[0], folder)
    shutil.copytree(ROOT / "sweeps", folder.parent / "sweeps")
    shutil.copy(ROOT / "optimizers.py", folder.parent)
    with opened(NOTEBOOKS[0].name) as page:
        assert not changed(page)
        listed = page.locator(".jp-DirListing-itemText")
        assert sorted(listed.all_inner_texts()) == ["01_dataset.ipynb", "answers.ipynb"]
        page.locator(".jp-BreadCrumbs-home").click()
        page.get_by_text("optimizers.py", exact=True).wait_for()
        assert {"sweeps", "notebooks", "optimizers.py"} <= set(listed.all_inner_texts())


def changed(page) -> bool:
    """Whether JupyterLab marks the document in front as changed."""
    page.evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(done, 100)))")  # until it has drawn
    return page.locator(".jp-mod-current.jp-mod-dirty").count() > 0


def run_all(page) -> None:
    """Run > Run All Cells, as a person does, and wait until every cell has its number, or one has failed."""
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    prompts = f"{FRONT} .jp-CodeCell .jp-InputArea-prompt"
    done = f"[...document.querySelectorAll('{prompts}')].every(p => /\\d/.test(p.textContent))"
    failed = f"[...document.querySelectorAll(`{ERRORS}`)].some(shown => shown.textContent.includes('{TOLD}'))"
    page.wait_for_function(f"() => {done} || {failed}", timeout=600_000)
    page.get_by_text(IDLE).wait_for(timeout=600_000)  # a folded cell has no number


def errors(page) -> list[str]:
    """What the cells that have failed show."""
    return page.locator(ERRORS).filter(has_text=TOLD).all_inner_texts()


def pictures(default: Path) -> Path:
    """Where the screenshots go: LAB_PICTURES, if someone wants to look at them."""
    place = Path(os.environ.get("LAB_PICTURES", default))
    place.mkdir(exist_ok=True)
    return place
