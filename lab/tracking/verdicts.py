"""Whether a run is to end early, which whoever started it decides: the two speak through files in the run's folder.

Before it starts a run, its starter may leave stopping.json there, {"bands": [epochs]}. The run writes record.json
after each epoch, and its starter answers with verdict.json, {"epoch": n, "stop": bool}. At an epoch of `bands` the run
waits for the verdict on it; at others it takes what is there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from common.files import read_json, write_json

PATIENCE = 5.0  # seconds that a run waits for a verdict
POLL = 0.02  # seconds between two looks


def ask(folder: Path, bands: Sequence[int]) -> None:
    """The starter's side, before a run: it is to wait for a verdict at the epochs `bands`; without any, for none."""
    (folder / "verdict.json").unlink(missing_ok=True)
    if bands:
        write_json(folder / "stopping.json", {"bands": list(bands)})
    else:
        (folder / "stopping.json").unlink(missing_ok=True)


def tell(folder: Path, epoch: int, stop: bool) -> None:
    """The starter's side: whether a run that has come to `epoch` is to stop."""
    write_json(folder / "verdict.json", {"epoch": epoch, "stop": stop})


def verdicts(folder: Path) -> Callable[[int], bool]:
    """The run's side, once it begins: what says whether to stop after an epoch that is on record.

    Without a stopping.json nothing stops the run, and neither does a file that cannot be read. Where a verdict that
    is waited for does not come in time, the run says so and goes on.
    """
    bands, path = read_json(folder / "stopping.json").get("bands"), folder / "verdict.json"
    if not isinstance(bands, list):
        return lambda epoch: False
    path.unlink(missing_ok=True)  # one of an earlier attempt

    def stops(epoch: int) -> bool:
        until = time.monotonic() + PATIENCE * (epoch in bands)
        while (verdict := read_json(path)).get("epoch") != epoch and time.monotonic() < until:
            time.sleep(POLL)
        if epoch in bands and verdict.get("epoch") != epoch:
            print(f"No verdict on epoch {epoch} came within {PATIENCE:g} s: this run goes on.", flush=True)
        return verdict.get("stop") is True

    return stops
