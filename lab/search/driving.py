"""Many runs side by side, until there are no more, or somebody interrupts them."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress

from common.names import first_unknown
from lab.search.executors import Judge
from lab.search.jobs import Job
from lab.search.keeping import Retention
from lab.search.progress import Progress
from lab.search.reading import SweepError
from lab.search.results import Result, has_ended, result_of
from lab.search.running import Runner
from lab.search.verdicts import Verdicts
from lab.tracking import Record

MOST = 512  # runs side by side
POLL = 1.0  # seconds between two looks at how many workers there are
GRACE = 10  # seconds that interrupted notebooks have to record it before their kernels are killed

AGAIN = "interrupted: run this again, and it goes on from here; what has ended is kept"

Tell = Callable[[Job, list[Record]], object]


class Interrupted(KeyboardInterrupt):
    """Somebody has interrupted a sweep. A notebook shows this text, and not where in the code that was."""

    def _render_traceback_(self) -> list[str]:  # which IPython asks for
        return [str(self)]


class Driver:
    """Runs jobs side by side, and tells what has come of each.

    A job's configurations run in turn, one a seed, until one does not finish. If the first epoch that is reported lacks
    `metric`, all ends there.
    """

    def __init__(
        self,
        runner: Runner,
        progress: Progress,
        retention: Retention,
        tell: Tell,
        seeds: int = 1,
        verdicts: Verdicts | None = None,
        ended: Iterable[Result] = (),
        *,
        metric: str | None = None,
    ) -> None:
        self.runner, self.progress, self.retention, self.tell = runner, progress, retention, tell
        self.seeds, self.verdicts, self.ended = seeds, verdicts, list(ended)
        self._awaited = metric if not self.ended else None  # nothing has reported it yet
        self._fault: SweepError | None = None
        self._running: dict[Future[list[Record]], Job] = {}

    def drive(self, jobs: Iterable[Job | None]) -> None:
        """Run all jobs. A job that is None asks to wait until a run has ended.

        A KeyboardInterrupt interrupts the notebooks, which have ten seconds to record it before their kernels are
        killed; a second one kills them at once. Raises Interrupted then.
        """
        with self.progress, ThreadPoolExecutor(MOST, thread_name_prefix="run") as self._pool:
            try:
                self._drive(iter(jobs))
            except KeyboardInterrupt:
                with suppress(KeyboardInterrupt):
                    self._interrupt()
                raise Interrupted(AGAIN) from None
            except SweepError as error:
                self._interrupt() if error is self._fault else self._finish()  # what runs already is let finish
                raise

    def _drive(self, jobs: Iterator[Job | None]) -> None:
        while True:
            free = max(0, self.runner.executor.slots - len(self._running))
            for job in itertools.islice(jobs, free):
                if job is None:
                    break
                self._start(job)
            self.progress.show(len(self._running))
            if not self._running and free:
                return
            self._collect(POLL) if self._running else time.sleep(POLL)
            if self._fault:
                raise self._fault

    def _start(self, job: Job) -> None:
        notebook = self.runner.notebook
        if notebook.fingerprint_now() != notebook.fingerprint:
            raise SweepError("the code has changed meanwhile: start again to run it all with the new")
        self._running[self._pool.submit(self._run, job)] = job

    def _run(self, job: Job) -> list[Record]:
        records: list[Record] = []
        for seed, config in enumerate(job.configs):
            records.append(self.runner.run(config, self._judge(job, seed)))
            self._require_metric(records[-1])
            self.progress.reach(result_of(records, self.progress.metric, self.seeds))
            self.progress.end(records[-1])
            if records[-1]["status"] != "finished" or self.runner.stopping:
                break
        return records

    def _judge(self, job: Job, seed: int) -> Judge | None:
        if self.verdicts is None and self._awaited is None:
            return None

        def stops(record: Record) -> bool:
            self._require_metric(record)
            return self.verdicts is not None and self.verdicts.stops(job.name, seed, record)

        return Judge(stops, self.verdicts.rule.bands if self.verdicts else ())

    def _require_metric(self, record: Record) -> None:
        """See that the first epoch has the metric that is awaited, once there is one."""
        metric, first = self._awaited, next(iter(record["history"]), None)
        if metric is None or first is None:
            return
        if metric in first:
            self._awaited = None
            return
        names = sorted(first.keys() - {"epoch", "seconds"})
        notebook = self.runner.notebook.path.name
        self._fault = SweepError(f"{first_unknown([metric], names, f'a metric that {notebook} reports')}")

    def _collect(self, seconds: float | None) -> None:
        """Tell what has ended, or ends within so many seconds."""
        for future in wait(self._running, timeout=seconds, return_when=FIRST_COMPLETED).done:
            job, records = self._running.pop(future), future.result()
            self.tell(job, records)
            result = result_of(records, self.progress.metric, self.seeds)
            self.ended.append(result)
            if self.verdicts and not has_ended(result):
                self.verdicts.forget(job.name)
            self.retention.apply(self.ended)

    def _finish(self) -> None:
        while self._running:
            self._collect(None)

    def _interrupt(self) -> None:
        self.runner.stopping = True
        try:
            self.runner.executor.stop(kill=False)
            wait(self._running, timeout=GRACE)
        finally:
            self.runner.executor.stop(kill=True)
        self._finish()
