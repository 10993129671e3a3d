"""A person's way through the notebooks: each is opened in a real JupyterLab, in Chromium, and run as a whole."""

import json
import os
import re
import secrets
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import nbformat
import pytest
import yaml
from nbformat.v4 import new_code_cell, new_notebook
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook
from test_notebooks import NOTEBOOKS, SMALL, SMALL_SWEEP, environment, link_data

from page_kit import KERNEL

ANSWERS = """
import matplotlib.pyplot as plt, numpy as np, pandas as pd
from lab.pages import interactive

runs = pd.DataFrame({"name": ["a", "b"], "layers": [1, 2], "validationaccuracy": [0.8, 0.9]})
interactive.parallel_coordinates(plt.figure(), "Two runs", runs, ["layers"])
labels, guesses = [0, 1], np.array([[[0.9, 0.1], [0.8, 0.2]]])
interactive.confusion(plt.figure(), "Two classes", ["Coat", "Shirt"], labels, guesses, np.zeros((2, 784), np.uint8))
"""


@pytest.fixture
def folder(tmp_path) -> Path:
    """A copy of the notebooks with small parameters, and one more, with the figures that answer."""
    notebooks = tmp_path / "notebooks"
    notebooks.mkdir()
    sweeps = {"sweep_file": SMALL_SWEEP, "next_file": SMALL_SWEEP | {"name": "next", "method": "bayes"}}
    for name, asked in sweeps.items():
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(asked), encoding="utf-8")
    for path in NOTEBOOKS:
        given = {name: yaml.safe_load(str(value)) for name, value in SMALL[path.stem].items()}
        if path.stem == "04_sweep":
            given |= {name: str(tmp_path / f"{name}.yaml") for name in sweeps}
        nbformat.write(parameterize_notebook(load_notebook_node(str(path)), given), notebooks / path.name)
    nbformat.write(new_notebook(cells=[new_code_cell(ANSWERS.strip())], metadata=KERNEL), notebooks / "answers.ipynb")
    return notebooks


@pytest.fixture
def lab(folder, tmp_path):
    """JupyterLab on this machine alone, with settings of its own; what it answers to, but for a notebook's name."""
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
    with open(tmp_path / "lab.log", "wb") as log:
        server = subprocess.Popen(command, cwd=folder, env=env, stdout=log, stderr=log)
    try:
        for _ in range(300):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/api?token={token}", timeout=5)
                break
            except OSError:
                assert server.poll() is None, (tmp_path / "lab.log").read_text()
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}/lab/tree/{{}}?reset&token={token}"
    finally:
        server.terminate()  # it ends its kernels too
        try:
            server.wait(timeout=20)
        except subprocess.TimeoutExpired:
            server.kill()


@pytest.mark.kernel
def test_every_notebook_runs_in_jupyterlab(browser, lab, tmp_path):
    for name in ["answers.ipynb", *(path.name for path in NOTEBOOKS)]:
        with browser.new_context(viewport={"width": 1440, "height": 900}) as context:
            page = context.new_page()
            page.set_default_timeout(60_000)
            page.goto(lab.format(name))
            try:
                run_all(page)
            finally:  # most of all when it did not
                page.screenshot(path=pictures(tmp_path) / f"{name}.png")
            errors = page.locator("[data-mime-type='application/vnd.jupyter.error']").all_inner_texts()
            assert errors == [], name
            if name == "answers.ipynb":  # the script works there as in the reports
                assert page.locator("figure.live .run").count() == 2
                page.get_by_role("button", name="Shirt taken for Coat: 1 of 1").click()
                assert page.locator(".mistakes li").inner_text().split() == ["80.0", "%", "sure"]


def run_all(page) -> None:
    """Run > Run All Cells, as a person does, and wait until every cell has its number."""
    page.locator(".jp-Notebook .jp-CodeCell").first.wait_for()
    page.get_by_text(re.compile(r"Python 3.* \| Idle")).wait_for()  # the status bar: the kernel is there
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    prompts = ".jp-CodeCell .jp-InputArea-prompt"
    done = f"[...document.querySelectorAll('{prompts}')].every(p => /\\d/.test(p.textContent))"
    page.wait_for_function(done, timeout=120_000)


def pictures(default: Path) -> Path:
    """Where the screenshots go: LAB_PICTURES, if someone wants to look at them."""
    place = Path(os.environ.get("LAB_PICTURES", default))
    place.mkdir(exist_ok=True)
    return place
