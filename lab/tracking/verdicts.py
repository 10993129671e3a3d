"""Whether a run is to end early, which whoever started it decides: the two speak through files in the run's folder.

Before it starts a run, its starter may leave stopping.json there, {"bands": [epochs]}. The run writes record.json
after each epoch, and its starter answers with verdict.json, {"epochs": n, "stop": bool}. After as many epochs as one of
`bands` says, counted from 1 whatever the run calls them, it waits for the verdict; after others it takes what is there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from common.files import read_json, remove, write_json

PATIENCE = 5.0  # seconds that a run waits for a verdict
POLL = 0.02  # seconds between two looks


def ask(folder: Path, bands: Sequence[int]) -> None:
    """The starter's side, before a run: it is to wait for verdicts after so many epochs; without `bands`, for none."""
    for name in ("verdict.json", "stopping.json"):
        remove(folder / name)
    if bands:
        write_json(folder / "stopping.json", {"bands": list(bands)})


def tell(folder: Path, epochs: int, stop: bool) -> None:
    """The starter's side: whether a run that has had so many epochs is to stop."""
    write_json(folder / "verdict.json", {"epochs": epochs, "stop": stop})


def verdicts(folder: Path) -> Callable[[int], bool]:
    """The run's side, once it begins: what says whether to stop after so many epochs, which are on record.

    Without a stopping.json nothing stops the run, and neither does a file that cannot be read. Where a verdict that
    is waited for does not come in time, the run says so and goes on.
    """
    bands, path = read_json(folder / "stopping.json").get("bands"), folder / "verdict.json"
    if not isinstance(bands, list):
        return lambda epochs: False
    remove(path)  # one of an earlier attempt

    def stops(epochs: int) -> bool:
        until = time.monotonic() + PATIENCE * (epochs in bands)
        while (verdict := read_json(path)).get("epochs") != epochs and time.monotonic() < until:
            time.sleep(POLL)
        if epochs in bands and verdict.get("epochs") != epochs:
            print(f"No verdict on epoch {epochs} came within {PATIENCE:g} s: this run goes on.", flush=True)
        return verdict.get("stop") is True

    return stops
