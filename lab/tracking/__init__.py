"""One run on record: what it is called, its record.json, W&B beside it, and what may end it early."""

from common.words import duration, first_line
from lab.tracking.client import MODES, WandbError, keep_offline, reachable_mode, wandb_mode
from lab.tracking.names import HOUSEKEEPING, REPOSITORY, flat, run_name, runs_root
from lab.tracking.provenance import THREADS, commit
from lab.tracking.record import ENDED, Record, contradiction, prepare_folder, record_of, value_of
from lab.tracking.run import Run, start, unseen

__all__ = [
    "ENDED",
    "HOUSEKEEPING",
    "MODES",
    "REPOSITORY",
    "THREADS",
    "Record",
    "Run",
    "WandbError",
    "commit",
    "contradiction",
    "duration",
    "first_line",
    "flat",
    "keep_offline",
    "prepare_folder",
    "reachable_mode",
    "record_of",
    "run_name",
    "runs_root",
    "start",
    "unseen",
    "value_of",
    "wandb_mode",
]
