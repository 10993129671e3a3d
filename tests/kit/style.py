"""How notebooks and the Makefile read: `python tests/kit/style.py`, as `make lint` runs it, names a broken rule."""

import ast
import re
import statistics
import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import nbformat

import tree

WIDTH = 86  # characters of code that a page shows without scrolling
INCHES = 8.4  # of a figure that a page shows in its own size


def notebook(path: Path) -> Iterator[str]:
    """Cells are sentences, and prose stands between them: it is neither a label nor a lecture."""
    cells = nbformat.read(path, as_version=4).cells
    code = [cell for cell in cells if cell.cell_type == "code"]
    lines = [len(cell.source.splitlines()) for cell in code]
    free = [count for count, cell in zip(lines, code, strict=True) if "parameters" not in tags(cell)]
    words = [len(cell.source.split()) for cell in cells if cell.cell_type == "markdown"]
    in_a_row = [len(list(some)) for kind, some in groupby(cells, key=lambda cell: cell.cell_type) if kind == "code"]
    shown = "\n".join(cell.source for cell in code if "show-code" in tags(cell))
    widest = max(map(len, shown.splitlines()), default=0)
    drawn = [float(width) for cell in code for width in re.findall(r"figsize=\(([\d.]+)[,)]", cell.source)]
    rules = {
        "a cell of code has a median of 4 lines or fewer": statistics.median(lines) <= 4,
        "no cell of code but that of parameters has more than 20 lines": max(free) <= 20,
        "no more than 4 cells of code stand in a row": max(in_a_row) <= 4,
        "a cell of text has a median of 40 to 100 words": 40 <= statistics.median(words) <= 100,
        "no cell of text has more than 220 words": max(words) <= 220,
        "a cell that says a sentence, and no more, is folded in JupyterLab": all(map(_folded, _saying(code))),
        "no cell is empty": all(cell.source.strip() for cell in cells),
        f"no figure is wider than {INCHES} inches, so that its labels are as large as drawn": max(drawn, default=0)
        <= INCHES,
        f"no line of shown code has more than {WIDTH} characters": widest <= WIDTH,
    }
    return (rule for rule, kept in rules.items() if not kept)


def _saying(cells: list[nbformat.NotebookNode]) -> Iterator[nbformat.NotebookNode]:
    """The cells of which a reader wants the sentence: they draw nothing, and make no name that another one uses."""
    for cell in cells:
        says = re.search(r"^say\(", cell.source, re.MULTILINE) and "show-code" not in tags(cell)
        drawn = re.search(r"figures\.show\(|interactive\.\w+\(", cell.source)
        if (
            says
            and not drawn
            and not _made(cell) & set().union(*(_used(other) for other in cells if other is not cell))
        ):
            yield cell


def _made(cell: nbformat.NotebookNode) -> set[str]:
    """The names that a cell gives to others."""
    nodes = list(ast.walk(ast.parse(cell.source)))
    loops = [node.target for node in nodes if isinstance(node, ast.comprehension)]
    inside = {id(name) for target in loops for name in ast.walk(target)}
    names = [node for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]
    return {node.id for node in names if id(node) not in inside}


def _used(cell: nbformat.NotebookNode) -> set[str]:
    nodes = ast.walk(ast.parse(cell.source))
    return {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}


def _folded(cell: nbformat.NotebookNode) -> bool:
    return cell.metadata.get("jupyter", {}).get("source_hidden", False)


def tags(cell: nbformat.NotebookNode) -> list[str]:
    return cell.metadata.get("tags", [])


def makefile(path: Path) -> Iterator[str]:
    """A target is five lines or fewer."""
    text = path.read_text(encoding="utf-8")
    rules = re.findall(r"^([a-z./%$()@_0-9]+):[^=\n]*\n((?:\t.*\n)*)", text, re.MULTILINE | re.IGNORECASE)
    return (f"{name} has 5 lines or fewer" for name, recipe in rules if recipe.count("\n") > 5)


def broken(root: Path) -> list[str]:
    """What breaks a rule below `root`, a sentence each."""
    checks = dict.fromkeys(tree.notebooks(root), notebook) | {root / "Makefile": makefile}
    return [f"{path.relative_to(root)}: {rule}: not here" for path, check in checks.items() for rule in check(path)]


if __name__ == "__main__":
    faults = broken(tree.ROOT)
    print("\n".join(faults) or "Notebooks and Makefile read as they should.")
    sys.exit(bool(faults))
