"""Chapter 8 on tables that are made up: on whole ones it leaves nothing out, on a beginning it says what is lacking."""

import os
import subprocess
import sys

import nbformat
import numpy as np
import pandas as pd
import pytest

import fashion_mnist
from far_kit import answers, whole_table
from lab.far import climbing, final, records, scouting, twins
from lab.tabular import growing
from lab.tracking import REPOSITORY

NAME = "08_how_far"
FIGURES = ("found", "changes-figure", "short-figure", "accuracies", "calibration-figure", "classes-figure")


def run(folder, **files):
    """What each cell of the chapter shows, given its files."""
    given = [word for name, path in files.items() for word in ("-p", name, str(path))]
    command = [sys.executable, REPOSITORY / "report.py", "run", REPOSITORY / "notebooks" / f"{NAME}.ipynb", *given]
    environment = os.environ | {"FASHION_RUNS": str(folder)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr + done.stdout
    assert "Warning" not in done.stderr
    cells = nbformat.read(folder / "notebooks" / f"{NAME}.ipynb", 4).cells
    return {cell.id: str(cell.get("outputs")) for cell in cells}


@pytest.fixture(scope="module")
def table():
    return whole_table(np.random.default_rng(0))


@pytest.fixture
def files(tmp_path, table):
    """Those of everything."""
    if not fashion_mnist.DATA.joinpath("test-images.npy").exists():
        pytest.skip("the data set is not there: run `make data`")
    files = {
        "table_file": tmp_path / "table.csv.xz",
        "test_file": tmp_path / "test.npz",
        "twin_file": tmp_path / "t.csv",
    }
    growing.write(table, records.KEYS, files["table_file"])
    rng, labels, recipe = np.random.default_rng(1), fashion_mnist.load().test.labels, scouting.winner(table)
    kept = {final.START: answers(labels, 0.8, rng), final.WINNER: answers(labels, 0.95, rng)}
    final.write(files["test_file"], {final.START: "{}", final.WINNER: records.key(recipe)}, kept)
    rows = [[records.key(recipe), seed, 0.9 + 0.001 * seed, 70.0, "2.13"] for seed in (1, 2, 3)]
    pd.DataFrame(rows, columns=twins.COLUMNS).to_csv(files["twin_file"], index=False)
    return files


@pytest.mark.long
@pytest.mark.kernel
def test_the_chapter_leaves_nothing_out_where_everything_is_there(files, tmp_path):
    said = run(tmp_path / "runs", **files)
    waiting = ("Not trained yet", "make far` goes on", "This waits", "one seed does not say", " nan")
    assert [(name, word) for name, text in said.items() for word in waiting if word in text] == []
    assert "5 networks of the winner are right for" in said["found"]
    assert "10 rungs lead from" in said["found"]
    assert "The winner is better than the start of the ladder" in said["classes-figure"]
    assert "In PyTorch the recipe is right for 90.20% of the test images, the mean of 3 seeds" in said["twin"]
    for name in (*FIGURES, "mistakes-figure"):
        assert said[name].count("'image/png': {'alt'") == 1, name
    recipe = said["recipe"]
    assert all(name in recipe for name in ("num_hidden_neurons", "max_epochs", "augmentation"))


@pytest.mark.kernel
def test_of_a_beginning_it_tells_what_there_is_and_what_is_lacking(table, files, tmp_path):
    """The short sweep, and a part of the ladder with one seed; the test images are not asked for."""
    plan = climbing.plan(table)
    some = [records.key(config) for config in [*plan["short sweep"], *plan["ladder"][:7]]]
    growing.write(table[table["config"].isin(some)], records.KEYS, files["table_file"])
    said = run(tmp_path / "runs", table_file=files["table_file"], test_file="none", twin_file="none")
    assert "6 rungs lead from" in said["found"]
    assert "one seed does not say" in said["found"]
    assert "Of the ladder, 7 of 72 trainings are there" in said["found"]
    assert "The best of 16 recipes is right for" in said["short"]
    assert "**Not trained yet**: the long sweep" in said["long-table"]
    assert "**Not trained yet**: the winner" in said["winner"]
    assert [name for name in FIGURES if "image/png" in said[name]] == ["found", "short-figure"]
