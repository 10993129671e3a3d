"""Whether imports go one way: `python tests/kit/imports.py`, as `make lint` runs it; the rules are in pyproject.toml.

import-linter knows packages alone. So it is shown a tree in which each module at the top is one.
"""

import ast
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

import tree


def names(root: Path) -> set[str]:
    """What can be imported from the top of the tree: modules and packages."""
    return {path.relative_to(root).parts[0].removesuffix(".py") for path in tree.modules(root)}


def stand_in(root: Path, folder: Path) -> None:
    """A copy of the modules below `root`, in `folder`."""
    for path in tree.modules(root):
        copy = folder / (f"{path.stem}/__init__.py" if path.parent == root else path.relative_to(root))
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)


def check(root: Path) -> subprocess.CompletedProcess:
    """What import-linter says of the tree below `root`; its exit code is 0 if all rules are kept."""
    with tempfile.TemporaryDirectory() as folder:
        stand_in(root, Path(folder))
        program = Path(sysconfig.get_path("scripts")) / "lint-imports"
        command = [program, "--no-cache", "--no-logo", root / "pyproject.toml"]
        return subprocess.run(command, cwd=folder, capture_output=True, text=True)


NETWORK = ("activations", "losses", "optimizers", "nn_core")  # in the order in which one reads them
LIBRARIES = {"numpy"} | sys.stdlib_module_names  # all that the network may import besides what is ours


def foreign(root: Path) -> list[str]:
    """What the network imports that it may not: a sentence each."""
    ours = names(root)
    return [
        f"{name} imports {imported}: the network imports NumPy and the standard library alone"
        for name in NETWORK
        for imported in sorted(_imported(root / f"{name}.py") - LIBRARIES - ours)
    ]


def _imported(path: Path) -> set[str]:
    """The top-level names that a module imports, wherever in it."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    modules = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    modules += [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    return {name.partition(".")[0] for name in modules}


if __name__ == "__main__":
    linted = check(tree.ROOT)
    print((linted.stdout if linted.returncode else linted.stdout.strip().splitlines()[-1]) + linted.stderr)
    print(*foreign(tree.ROOT), sep="\n", end="")
    sys.exit(linted.returncode or bool(foreign(tree.ROOT)))
