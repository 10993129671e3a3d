"""Tables of results, with every value as text: what a reader came for stands first, the rest is in the caption."""

from __future__ import annotations

import hashlib
import html
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    from pandas.io.formats.style import Styler


Format = str | Callable[[Any], str]


def table(
    frame: pd.DataFrame, formats: Mapping[str, Format] | str | None = None, caption: str = "", fold: Iterable[str] = ()
) -> Styler:
    """A table to display: `formats` say how a column, or all, is written; the index is shown if it has a name.

    Of several rows, the columns to `fold` that hold the same in all of them go into the caption.
    """
    same = [name for name in fold if name in frame and len(frame) > 1 and frame[name].nunique(dropna=False) == 1]
    told = ", ".join(f"{name} {_written(frame[name].iloc[0], name, formats)}" for name in same)
    frame, caption = frame.drop(columns=same), f"{caption} The same in all rows: {told}.".strip() if told else caption
    styled = frame.style.format(formats, escape="html", na_rep="").set_uuid(_name(frame))
    styled = styled.format_index(escape="html", axis="index").format_index(escape="html", axis="columns")
    if frame.index.names == [None]:
        styled = styled.hide(axis="index")
    return styled.set_caption(html.escape(caption)) if caption else styled


def configurations(configs: Mapping[str, Mapping[str, Any]], defaults: Mapping[str, Any]) -> Styler:
    """A table with a row for each model's configuration and a column for each parameter that they differ in.

    What a configuration leaves out is what it is by `defaults`; what is the same in all goes into the caption.
    """
    names = list(dict.fromkeys(name for config in configs.values() for name in config))
    values = [[_setting(config.get(name, defaults.get(name, ""))) for name in names] for config in configs.values()]
    return table(pd.DataFrame(values, pd.Index(configs, name="model"), names), fold=names)


def _setting(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value).casefold()


def _written(value: Any, name: str, formats: Mapping[str, Format] | str | None) -> str:
    how = formats.get(name, "{}") if isinstance(formats, Mapping) else formats or "{}"
    return how(value) if callable(how) else how.format(value)


def _name(frame: pd.DataFrame) -> str:
    """What the markup of a table calls it: by what it holds, so that the same table is the same markup each time."""
    return hashlib.sha256(frame.to_csv().encode()).hexdigest()[:12]
