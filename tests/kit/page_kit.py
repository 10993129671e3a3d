"""Small executed notebooks, with outputs given, for the tests of the reports."""

from base64 import b64encode
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from unittest.mock import patch

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image

from lab.pages import NARROW

PROVENANCE = {
    "commit": "0123456789ab+",
    "date": "2026-03-01T12:34:56+00:00",
    "seconds": 7.5,
    "parameters": {"learning_rate": 0.0001, "seed": 42},
    "versions": {"numpy": "2.4.6", "python": "3.11.7"},
    "machine": "Linux, 2 CPUs",
    "command": "python report.py run notebooks/01_data.ipynb -p seed 42",
}
KERNEL = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}


def png(width: int = 1200) -> str:
    """A picture, as notebooks hold it."""
    buffer = BytesIO()
    Image.new("RGB", (width, 600), "teal").save(buffer, "PNG")
    return b64encode(buffer.getvalue()).decode()


def figure(**metadata) -> nbformat.NotebookNode:
    return new_output("display_data", data={"image/png": png(), "text/plain": "<Figure>"}, metadata=metadata)


def two_forms(**metadata) -> nbformat.NotebookNode:
    """A figure that has a form for telephones."""
    output = figure(**metadata)
    output.data[NARROW] = png(561)
    return output


def code(source: str, *outputs, tags=()) -> nbformat.NotebookNode:
    return new_code_cell(source, outputs=list(outputs), metadata={"tags": list(tags)})


def stream(name: str, text: str) -> nbformat.NotebookNode:
    return new_output("stream", name=name, text=text)


def shown(**data: str) -> nbformat.NotebookNode:
    """What a cell displays: `shown(html=...)`, `shown(markdown=...)`."""
    return new_output("display_data", data={f"text/{kind}": text for kind, text in data.items()})


def displayed(show: Callable, *args, **more) -> nbformat.NotebookNode:
    """What a function of interactive.py displays."""
    with patch("lab.pages.interactive.display") as display:
        show(*args, **more)
    [call] = display.call_args_list
    return new_output("display_data", data=call.args[0], metadata=call.kwargs["metadata"])


def write(path: Path, *cells, provenance=PROVENANCE) -> None:
    """A notebook of these cells; strings become Markdown cells."""
    cells = [new_markdown_cell(cell) if isinstance(cell, str) else cell for cell in cells]
    for k, cell in enumerate(cells):
        cell["id"] = f"cell-{k}"
    nbformat.write(
        new_notebook(cells=cells, metadata=KERNEL | ({"provenance": provenance} if provenance else {})), path
    )
