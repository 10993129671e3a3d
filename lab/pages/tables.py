"""Tables of results, with every value as text: what a reader came for stands first, the rest is in the caption."""

from __future__ import annotations

import hashlib
import html
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd
    from pandas.io.formats.style import Styler


def table(frame: pd.DataFrame, formats: Mapping[str, str] | str | None = None, caption: str = "") -> Styler:
    """A table to display: `formats` say how a column, or all, is written; the index is shown if it has a name."""
    styled = frame.style.format(formats, escape="html", na_rep="").set_uuid(_name(frame))
    styled = styled.format_index(escape="html", axis="index").format_index(escape="html", axis="columns")
    if frame.index.names == [None]:
        styled = styled.hide(axis="index")
    return styled.set_caption(html.escape(caption)) if caption else styled


def _name(frame: pd.DataFrame) -> str:
    """What the markup of a table calls it: by what it holds, so that the same table is the same markup each time."""
    return hashlib.sha256(frame.to_csv().encode()).hexdigest()[:12]
