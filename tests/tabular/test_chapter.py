"""Chapter 7 on a table that is complete, and made up: what it leaves out of one that is not, it has here."""

import os
import subprocess
import sys

import nbformat
import numpy as np
import pytest

from lab.tabular import bayes
from lab.tabular import table as tabular
from lab.tabular.cube import cube
from lab.tracking import REPOSITORY
from table_kit import whole_table

NAME = "07_every_configuration"


@pytest.mark.long
@pytest.mark.kernel
def test_the_chapter_leaves_nothing_out_of_a_complete_table(tmp_path):
    files = {"table_file": tmp_path / "table.csv.xz", "replays_file": tmp_path / "replays.csv.xz"}
    tabular.write(whole_table((0, 1, 2), np.random.default_rng(0)), files["table_file"])
    bayes.compute(cube(tabular.load(files["table_file"])), replays=2, runs=48, path=files["replays_file"], workers=1)
    given = [word for name, path in files.items() for word in ("-p", name, str(path))]
    command = [sys.executable, REPOSITORY / "report.py", "run", REPOSITORY / "notebooks" / f"{NAME}.ipynb"]
    environment = os.environ | {"FASHION_RUNS": str(tmp_path / "runs")}
    command += [*given, "-p", "replays", "20", "-p", "sample", "1"]
    executed = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert executed.returncode == 0, executed.stderr + executed.stdout

    cells = {cell.id: cell for cell in nbformat.read(tmp_path / "runs" / "notebooks" / f"{NAME}.ipynb", 4).cells}
    said = {name: str(cell.get("outputs")) for name, cell in cells.items()}
    assert [name for name, text in said.items() if "left out until then" in text] == []
    assert "All 9,720 configurations are there, with 3 seeds each." in said["state"]
    assert "**weight_decay** alone makes" in said["decides"]
    assert "All 3 that were made again came out the same" in said["bayes"]
    assert "Left out: there is no sweep 'random'" in said["beside-table"]
    figures = {"found": 1, "pairs": 2, "regrets": 1, "seeds": 1, "confirmations": 1}
    assert {name: said[name].count("'image/png': {'alt'") for name in figures} == figures
