"""Uploads to W&B what runs have kept offline, with W&B's own client and in few processes."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from tqdm import tqdm

from common.words import brief, masked
from lab.tracking.names import REPOSITORY
from lab.tracking.record import record_of

BATCH = 100  # runs that one process uploads
STALL = 120  # seconds without a run uploaded after which W&B counts as out of reach; its client would try for a week
EMPTY = 7  # bytes of an offline file that holds nothing yet: W&B writes every 15 seconds
UNFIT = (  # variables that are about a single run, or would have W&B's client keep silent on what fails
    *("WANDB_MODE", "WANDB_DISABLED", "WANDB_SILENT", "WANDB_QUIET"),
    *("WANDB_RUN_ID", "WANDB_SWEEP_ID", "WANDB_FINISH_TIMEOUT"),
)


def upload(folders: Iterable[str | Path], *, delete: bool = False) -> int:
    """Upload the W&B offline runs below folders of runs, if they have not been uploaded yet; return how many were.

    A run under way is left alone. With `delete`, W&B's own files of a run are deleted once it is uploaded, now or
    earlier; record, weights and notebook stay. Raises ConnectionError unless all were uploaded, with a sentence that
    says why and what to do: nothing is lost, and the same call again goes on with the rest.
    """
    ended = _ended(map(Path, folders))
    waiting = [log for log in ended if not _settled(log)]
    batches = [waiting[start : start + BATCH] for start in range(0, len(waiting), BATCH)]
    done, reason = 0, ""
    try:
        with tqdm(total=len(waiting), disable=None, unit="run", leave=False) as bar:
            while batches:
                batch = batches.pop(0)
                complaint = _sync(batch, bar)
                arrived = sum(map(_settled, batch))
                done, reason = done + arrived, complaint or reason
                with bar.external_write_mode():
                    print(f"{done} of {len(waiting)} runs uploaded", flush=True)
                if not arrived and any(log.parent.name in complaint for log in batch):
                    half = len(batch) // 2  # one damaged file keeps the client from sending any: find it
                    batches[:0] = [part for part in (batch[:half], batch[half:]) if half]
                elif not arrived:
                    break
    finally:
        for log in ended:
            if delete and _settled(log):
                shutil.rmtree(log.parent)
    if done < len(waiting):
        again = "nothing is lost, and the same command again goes on with the rest"
        raise ConnectionError(f"{done} of {len(waiting)} runs uploaded ({brief(reason)}); {again}")
    if not waiting:
        print("there is nothing to upload: W&B has every run that has ended", flush=True)
    return done


def _ended(folders: Iterable[Path]) -> list[Path]:
    """The offline files of runs, but for those under way, which are named."""
    ended: list[Path] = []
    for folder in folders:
        logs = sorted(folder.resolve().glob("wandb/offline-run-*/run-*.wandb"))
        if logs and record_of(folder).get("status") == "running":
            print(f"{folder.name} is left alone: it is under way, or was killed and waits to run again", flush=True)
        else:
            ended += logs
    return ended


def _mark(log: Path) -> Path:
    """The file by which W&B's client says that it has uploaded an offline run."""
    return log.with_name(f"{log.name}.synced")


def _settled(log: Path) -> bool:
    """Whether nothing of an offline run is left to upload: it was, or it was killed before W&B wrote anything."""
    return _mark(log).exists() or log.stat().st_size <= EMPTY


def _sync(logs: Sequence[Path], bar: tqdm) -> str:
    """Upload offline runs in one process of W&B's client; return what it says against it, or nothing.

    The client marks a run as uploaded even if the server refused some of it, and ends with exit code 0 whatever
    happens: so what it prints decides.
    """
    environment = {name: value for name, value in os.environ.items() if name not in UNFIT}
    command = [sys.executable, "-m", "lab.tracking.sending", *map(str, logs)]
    begun, arrived, last, stalled = bar.n, 0, time.monotonic(), False
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output:
        streams = {"stdin": subprocess.PIPE, "stdout": output, "stderr": subprocess.STDOUT}
        process = subprocess.Popen(command, env=environment, cwd=REPOSITORY, **streams)
        try:
            while process.poll() is None and not stalled:
                time.sleep(0.2)
                if (now := sum(map(_settled, logs))) > arrived:
                    arrived, last = now, time.monotonic()
                    bar.update(begun + arrived - bar.n)
                stalled = time.monotonic() - last > STALL
        finally:
            process.kill()
            process.wait()
            process.stdin.close()
            output.seek(0)
            lines = output.read().split("\n")
            complaints = [match[1] for line in lines if (match := re.search(r"(?:ERROR|^Error:) (.+)", line))]
            for log in logs:
                name = log.stem.removeprefix("run-")
                if any(f"/{name}]" in complaint for complaint in complaints):
                    _mark(log).unlink(missing_ok=True)
    complaints = list(map(masked, complaints))
    if stalled:
        return f"none arrived in {STALL} s: check the network"
    if all(map(_settled, logs)):
        return ""
    return next(iter(complaints), "") or next((line for line in reversed(lines) if line), "W&B's client did not start")
