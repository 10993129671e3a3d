"""A run under way: its record is written after each epoch, W&B hears of it, and it may be told to end early."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from numbers import Real
from pathlib import Path
from typing import Any

from common.files import write_json
from common.words import duration, masked
from lab.tracking.client import Mirror, check_mode
from lab.tracking.names import run_name, runs_root
from lab.tracking.provenance import commit, threads, versions
from lab.tracking.record import prepare_folder
from lab.tracking.verdicts import verdicts

SHOWN = {"loss": "loss", "validationaccuracy": "validation accuracy"}  # of an epoch in its line, or else what there is


class Run:
    """A run under way: what it is (`config`, `name`, `folder`) and what has come of it (`status`, `history`, `error`).

    `status` is running, then finished, stopped (early, by its sweep), diverged, failed or interrupted; `history` holds
    one dictionary an epoch, as `NeuralNetwork.train` yields them.
    """

    def __init__(self, config: Mapping[str, Any], folder: str | Path = "", patience: int | None = None) -> None:
        self.config = dict(config)
        self.name = run_name(config)
        self.folder = Path(folder or runs_root() / "single" / self.name).resolve()
        self.patience = patience
        self.status = "running"
        self.error: str | None = None
        self.history: list[dict[str, Any]] = []
        self.stopped = False  # its sweep has no more use for it
        self._stops: Callable[[int], bool] = verdicts(self.folder)
        self._mirror: Mirror | None = None  # on W&B
        self._clock = time.monotonic()
        self._first = self._last = self._clock  # when the first epoch was logged, and the last
        self._fixed = {
            "started": _now(),
            "versions": versions(),
            "commit": commit(),
            "threads": threads(),
            "fingerprint": os.environ.get("FASHION_FINGERPRINT"),  # sweep.py's mark of the code that runs
            "noted": [],  # which of these entries `note` has added
        }
        prepare_folder(self.folder)
        self.write()

    @property
    def wandb(self) -> Any:
        """The W&B run, for whoever wants to log more than epochs; None where W&B keeps nothing of it."""
        return self._mirror and self._mirror.run

    def mirror(self) -> None:
        """Keep the run on W&B too, from now on."""
        self._mirror = Mirror(self.name, self.config, self.folder)

    def log(self, epoch: Mapping[str, Any]) -> None:
        """Record one epoch, in record.json and on W&B, and print a line on it.

        An epoch that does not say which it is, or how long it took, is the next, and took the time since the last.
        """
        now = time.monotonic()
        epoch = {"epoch": len(self.history) + 1, "seconds": now - self._last, **epoch}
        self._last = now
        if self.patience is not None and "validationaccuracy" not in epoch:
            raise ValueError("patience watches validationaccuracy: train with validation data, or leave patience out")
        self.history.append(epoch)
        self.write()
        if self._mirror:
            self._mirror.log(epoch)
        if len(self.history) != self.config.get("max_epochs"):  # the last ends by itself
            self.stopped = self._stops(len(self.history))
        print(*self._facts(), sep=" · ", flush=True)

    def _facts(self) -> list[str]:
        """What a line says of the last epoch."""
        epoch, total = self.history[-1], self.config.get("max_epochs")
        facts = [f"epoch {epoch['epoch']}/{total}" if total else f"epoch {epoch['epoch']}"]
        shown = {name: words for name, words in SHOWN.items() if name in epoch}
        shown = shown or {name: name for name in epoch if name not in ("epoch", "seconds")}
        facts += [f"{words} {epoch[name]:.4f}" for name, words in shown.items() if isinstance(epoch[name], Real)]
        facts.append(duration(epoch["seconds"]))
        if total:
            facts.append(f"{duration(self._seconds_an_epoch() * max(0, total - epoch['epoch']))} left")
        return facts

    def _seconds_an_epoch(self) -> float:
        """With what is done between two epochs, such as drawing, but not with what came before the first."""
        if len(self.history) == 1:
            self._first = time.monotonic()
            return self.history[0]["seconds"]
        return (time.monotonic() - self._first) / (len(self.history) - 1)

    def note(self, **facts: Any) -> None:
        """Put on record, and into W&B's configuration, what is known only now, such as the threads of a network."""
        self._fixed |= facts | {"noted": sorted({*self._fixed["noted"], *facts})}
        self.write()
        if self._mirror:
            self._mirror.note(facts)

    @property
    def should_stop(self) -> bool:
        """Whether the sweep stops this run early, or the validation accuracy has not risen for `patience` epochs."""
        if self.stopped:
            return True
        if self.patience is None or not self.history:
            return False
        accuracies = [epoch["validationaccuracy"] for epoch in self.history]
        return len(accuracies) - 1 - accuracies.index(max(accuracies)) >= self.patience

    def save(self, net: Any) -> Path:
        """Save the network's weights as weights.npz beside the record, whole or not at all; return the path."""
        path = self.folder / "weights.npz"
        net.save(path)
        return path

    def write(self) -> None:
        """Bring record.json up to date."""
        record = {
            "name": self.name,
            "status": self.status,
            "error": self.error,
            "config": self.config,
            "history": self.history,
            "seconds": time.monotonic() - self._clock,
            **self._fixed,
            "finished": None if self.status == "running" else _now(),
        }
        write_json(self.folder / "record.json", record)

    def end(self, status: str, error: str | None = None) -> None:
        """Record how the run has ended, and tell W&B, which may take its time over the network."""
        self.status, self.error = status, error and masked(error)
        self.write()
        if self._mirror:
            self._mirror.end(status)


@contextmanager
def start(config: Mapping[str, Any], folder: str | Path = "", *, patience: int | None = None) -> Iterator[Run]:
    """Keep a run on record in `folder` (empty: runs/single/<run name>) and on W&B.

    A FloatingPointError ends the run as `diverged` and is swallowed, with its sentence printed; any other exception
    is recorded, as `failed` or `interrupted`, and goes on. With `patience`, `run.should_stop` turns true once the
    validation accuracy has not risen for so many epochs. Raises WandbError for a WANDB_MODE that W&B does not have.
    """
    check_mode()
    run = Run(config, folder, patience)
    try:
        run.mirror()
        yield run
    except FloatingPointError as error:
        print(error, flush=True)
        run.end("diverged", str(error))
    except BaseException as error:
        interrupted = isinstance(error, KeyboardInterrupt)
        run.end("interrupted" if interrupted else "failed", f"{type(error).__name__}: {error}")
        raise
    else:
        run.end("stopped" if run.stopped else "finished")


def unseen(history: Sequence[Mapping[str, Any]]) -> None:
    """Show the history of a run to nobody: what stands for curves where no one is watching."""


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
