"""`make lint` names what reads badly in a notebook or the Makefile."""

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

import style

TEXT = new_markdown_cell("word " * 50)
CODE = new_code_cell("x = 1", metadata={"tags": ["show-code"]})


@pytest.fixture
def root(tmp_path):
    (tmp_path / "notebooks" / "deeper").mkdir(parents=True)
    (tmp_path / "Makefile").write_text("good: bad\n" + "\tcommand\n" * 5)
    return tmp_path


def write(root, *cells):
    cells = [nbformat.from_dict(cell | {"id": f"cell-{k}"}) for k, cell in enumerate(cells)]
    nbformat.write(new_notebook(cells=cells), root / "notebooks" / "deeper" / "01.ipynb")


def test_what_keeps_the_rules_passes(root):
    folded = new_code_cell("say('It is so.')", metadata={"jupyter": {"source_hidden": True}})
    drawing = new_code_cell("say('It is so.')\nfigures.show(fig, 'It')")
    making = new_code_cell("y = 2\nsay('It is so.')")  # y, which the last cell takes
    write(root, TEXT, CODE, CODE, CODE, CODE, TEXT, folded, drawing, making, new_code_cell("z = y"))
    assert style.broken(root) == []


@pytest.mark.parametrize(
    ("cells", "rule"),
    [
        ([TEXT, new_code_cell("x = 1\n" * 5)], "median of 4 lines"),
        ([TEXT, *[CODE] * 4, TEXT, new_code_cell("x = 1\n" * 21)], "more than 20 lines"),
        ([TEXT, *[CODE] * 5], "more than 4 cells of code"),
        ([new_markdown_cell("a label"), CODE], "40 to 100 words"),
        ([TEXT, TEXT, new_markdown_cell("word " * 221), CODE], "more than 220 words"),
        ([TEXT, CODE, new_code_cell(" ")], "no cell is empty"),
        ([TEXT, new_code_cell("fig, ax = plt.subplots(figsize=(9, 3))")], "wider than 8.4 inches"),
        ([TEXT, new_code_cell("say('It is so.')")], "folded in JupyterLab"),
        ([TEXT, new_code_cell("x" * 87, metadata={"tags": ["show-code"]})], "more than 86 characters"),
    ],
)
def test_each_rule_that_a_notebook_breaks_is_named(root, cells, rule):
    write(root, *cells)
    [sentence] = style.broken(root)
    assert rule in sentence
    assert "01.ipynb" in sentence


def test_a_long_target_is_named(root):
    write(root, TEXT, CODE)
    (root / "Makefile").write_text("bad: good\n" + "\tcommand\n" * 6)
    assert style.broken(root) == ["Makefile: bad has 5 lines or fewer: not here"]


def test_where_there_is_no_notebook_nothing_is_checked_and_that_is_an_error(root):
    with pytest.raises(AssertionError, match="finds nothing"):
        style.broken(root)
