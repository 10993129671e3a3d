"""What `make bench-sweep` has found of the cost of a sweep's runs: runs/sweeping.json, or what the repository ships."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

AGENT = "wandb agent"


def kept(*paths: Path) -> dict[str, Any]:
    """What the first file has that is there and whole; empty if none is. One that is damaged is said."""
    from lab.tracking.described import Swept, read_or_say

    measurements = (read_or_say(Swept, path, "make bench-sweep") for path in paths)
    return next(filter(None, measurements), {})


def table(measurements: Mapping[str, Any]) -> pd.DataFrame:
    """A row for each sweep, and for W&B's agent with the configurations of the random one; none without a measurement.

    Columns: configurations an hour, and the share of the time that the workers' cores trained, where it is known.
    """
    import pandas as pd

    rates, shares = measurements.get("an hour", {}), measurements.get("share", {})
    columns = {"configurations an hour": rates, "share of the time in training": shares}
    return pd.DataFrame(columns).reindex(list(rates)).rename_axis("runs of")


def finding(measurements: Mapping[str, Any]) -> str:
    """What a run costs beside its training, and where that was measured; where it was not, how to."""
    if not measurements:
        return "*Not measured yet: `make bench-sweep` does it, in a quarter of an hour.*"
    where = f"{measurements['processor']}, backend {measurements['backend']}, "
    where += f"{measurements['date'][:10]}, at commit {measurements['commit']}"
    sentence = f"A run of a sweep costs {measurements['overhead']:.2f} s of a core besides its training"
    rates = measurements["an hour"]
    if rates.get("random") and rates.get(AGENT):
        times = rates["random"] / rates[AGENT]
        sentence += f"; with {measurements['workers']} workers, {measurements['runs']} random runs come to {times:.1f} "
        sentence += "times as many configurations an hour as the same by `wandb agent`, which starts a process for each"
    return f"**{sentence}** ({where})."
