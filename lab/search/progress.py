"""How far a sweep is: a line for each run that ends and, where somebody watches, a bar, or a line that changes.

Where that is neither a terminal nor a notebook, as in a log, there is a line when none has come for long.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Sequence

from tqdm import tqdm

from common.words import brief
from lab.search.results import Result, better
from lab.tracking import Record, duration, value_of

QUIET = 300.0  # seconds without a line in a log


class Progress:
    """What is said while a sweep runs; `total` is a number of runs, one a seed, and `earlier` has those of before.

    A run that has finished without the metric is told so only where that is `needed`.
    """

    def __init__(self, metric: str, goal: str, total: int, earlier: Sequence[Result], *, needed: bool = True) -> None:
        self.metric, self.goal, self.total, self._needed = metric, goal, total, needed
        before = [record for result in earlier for record in result.records]
        self.began, self.earlier = time.monotonic(), len(before)
        self.done = self.earlier
        self.failed = sum(record["status"] == "failed" for record in before)
        self.best: float | None = None
        self._lock = threading.Lock()
        for result in earlier:
            self.reach(result)
        self._bar = tqdm(total=total, initial=self.done, disable=None, unit="run", leave=False)
        self._display = _display()
        self._told = time.monotonic()  # when there was a line

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def end(self, record: Record) -> None:
        """Say what has come of a run."""
        with self._lock:
            self.done += 1
            self.failed += record["status"] == "failed"
            value = value_of(record, self.metric)
            outcome = f"{self.metric} {value:.4f}" if value is not None else self._reason(record)
            facts = [f"{self.done:{len(str(self.total))}} of {self.total}", outcome, duration(record["seconds"])]
            facts += [*self._facts(), record["name"]]
            with self._bar.external_write_mode():
                print(*facts, sep=" · ", flush=True)
            self._told = time.monotonic()
            self._bar.update()

    def reach(self, result: Result) -> None:
        """Take note of a result, which may be the best."""
        with self._lock:
            if result.value is not None and (self.best is None or better(result.value, self.best, self.goal)):
                self.best = result.value

    def show(self, running: int) -> None:
        """Bring the bar up to date."""
        with self._lock:
            facts = " · ".join([f"{running} running", f"{self.failed} failed", *self._facts()])
            self._bar.set_postfix_str(facts)
            line = f"{self.done} of {self.total} runs · {facts}"
            if self._display:
                self._display(line)
            elif self._bar.disable and time.monotonic() >= self._told + QUIET:
                print(line, flush=True)
                self._told = time.monotonic()

    def _reason(self, record: Record) -> str:
        without = {"finished": f"no {self.metric}" * self._needed, "stopped": f"after epoch {len(record['history'])}"}
        reason = record["error"] or without.get(record["status"], "")
        return f"{record['status']} ({brief(reason)})" if reason else record["status"]

    def _facts(self) -> list[str]:
        best = [] if self.best is None else [f"best {self.best:.4f}"]
        if self.done == self.earlier:
            return best
        each = (time.monotonic() - self.began) / (self.done - self.earlier)
        return [*best, f"{duration(each * max(0, self.total - self.done))} left"]


def _display() -> Callable[[str], None] | None:
    """In a notebook, what shows a line of text and replaces it by the next; None elsewhere."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if not hasattr(shell, "kernel"):
        return None
    from IPython.display import display

    handle = display({"text/plain": ""}, raw=True, display_id=True)
    return lambda text: handle.update({"text/plain": text}, raw=True)
