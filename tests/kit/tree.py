"""What the tree holds: found in its folders, never listed by hand."""

from pathlib import Path

ROOT = Path(__file__).parents[2]


def files(*patterns: str, root: Path = ROOT) -> list[Path]:
    """The files of each pattern, sorted; one that finds none is an error, since then whatever is checked holds."""
    some = [sorted(p for p in root.glob(pattern) if ".ipynb_checkpoints" not in p.parts) for pattern in patterns]
    assert all(some), f"one of {', '.join(patterns)} finds nothing below {root}"
    return [path for paths in some for path in paths]


def notebooks(root: Path = ROOT) -> list[Path]:
    """Every notebook, in the order in which they are read."""
    return files("notebooks/**/*.ipynb", root=root)


def modules(root: Path = ROOT) -> list[Path]:
    """Everything that can be imported from the top: the modules there, and those of its packages."""
    packages = [path.parent.name for path in files("*/__init__.py", root=root)]
    return files("*.py", *(f"{package}/**/*.py" for package in packages), root=root)
