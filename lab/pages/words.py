"""Computed sentences and the values in them, shown so that no value becomes markup.

Notebooks show text with `say`, and names that come from a file (a record, a sweep, a benchmark) with `plain`.
"""

import math
import re
from typing import Any

from IPython.display import Markdown, display

MARKS = re.compile(r"([\\`*_{}\[\]()#+!|$~>-])")  # what Markdown, or a formula in it, gives a meaning to


def markdown(text: str) -> Markdown:
    """A text in Markdown whose HTML is shown as it is written; in formulas, write \\lt for a less-than sign."""
    return Markdown(text.replace("<", "&lt;"))


def say(text: str) -> None:
    """Display a computed text: Markdown and formulas count, HTML does not."""
    display(markdown(text))


def plain(value: Any) -> str:
    """A value in one line, for a text in Markdown in which it is to be read as it is; 0.0 is a 0."""
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return MARKS.sub(r"\\\1", " ".join(text.split())).replace("<", "&lt;")


def sure(confidence: float) -> str:
    """A confidence from 0 to 1 in per cent, rounded down, and never to certainty: 0.9996 is "99.9 %"."""
    return f"{min(math.floor(1000 * confidence) / 10, 99.9):.1f} %"
