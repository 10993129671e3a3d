"""Optuna's dashboard on the studies of all sweeps, which it only reads: it shows copies in memory, kept up to date."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from optuna.logging import WARNING, set_verbosity
from optuna.storages import InMemoryStorage
from optuna.trial import FrozenTrial, TrialState

from common.words import text_of
from lab.search.reading import SweepError
from lab.search.storage import Study, studies
from lab.tracking import runs_root

LOOK = 2.0  # seconds between two looks at the files
HOST, PORT = "127.0.0.1", 8080


class Copies:
    """Copies of the studies below a folder, in memory; `refresh` brings them up to date."""

    def __init__(self, root: Path) -> None:
        self.root, self.storage = root, InMemoryStorage()
        self._ids: dict[str, int] = {}
        self._seen: dict[Path, int] = {}  # when files had changed last
        self._said: dict[Path, str] = {}

    def refresh(self) -> None:
        """Read what has changed. A file that cannot be read, such as one that stays locked, is named, once."""
        for path in sorted(self.root.glob("*/study.db")):
            changed = path.stat().st_mtime_ns
            if self._seen.get(path) == changed:
                continue
            try:
                for study in studies(path):
                    self._take(study)
                self._seen[path] = changed
                self._said.pop(path, None)
            except SweepError as error:
                if self._said.get(path) != str(error):
                    print(error, flush=True)
                self._said[path] = str(error)

    def _take(self, study: Study) -> None:
        if study.name not in self._ids:
            self._ids[study.name] = self.storage.create_new_study([study.direction], study.name)
        own = self._ids[study.name]
        known = self.storage.get_all_trials(own, deepcopy=False)
        for trial in study.trials[len(known) :]:
            self.storage.create_new_trial(own, trial)
        for old, new in zip(known, study.trials, strict=False):
            if old.state == TrialState.RUNNING != new.state:
                self._end(self.storage.get_trial_id_from_study_id_trial_number(own, old.number), new)

    def _end(self, trial: int, ended: FrozenTrial) -> None:
        for name, value in ended.user_attrs.items():
            self.storage.set_trial_user_attr(trial, name, value)
        for epoch, value in ended.intermediate_values.items():
            self.storage.set_trial_intermediate_value(trial, epoch, value)
        self.storage.set_trial_state_values(trial, ended.state, ended.values)


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing of requests."""


def _read_only(app: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
    """The dashboard for who looks: what somebody changed there would be changed in a copy, and lost."""

    def answer(environ: Mapping[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] in ("GET", "HEAD"):
            return app(environ, start)
        start("403 Forbidden", [("Content-Type", "application/json")])
        return [json.dumps({"reason": "sweeps are only read here"}).encode()]

    return answer


def server(copies: Copies, host: str = HOST, port: int = PORT) -> WSGIServer:
    """The dashboard's server; raises SweepError where it cannot be had."""
    try:
        from optuna_dashboard import wsgi
    except ImportError as error:
        raise SweepError("watching needs Optuna's dashboard: make watch, or pip install optuna-dashboard") from error
    try:
        return make_server(host, port, _read_only(wsgi(copies.storage)), handler_class=_Quiet)
    except (OSError, OverflowError) as error:  # the latter for what is no number of a port
        raise SweepError(f"port {port} of {host} cannot be had ({text_of(error)}): choose another --port") from error


def watch(port: int = PORT, root: Path | None = None) -> None:
    """Serve the dashboard until somebody interrupts it."""
    set_verbosity(WARNING)  # not a line for each study that is copied
    copies, ended = Copies(root or runs_root()), threading.Event()
    copies.refresh()

    def refresh() -> None:
        while not ended.wait(LOOK):
            copies.refresh()

    with server(copies, port=port) as serving:
        thread = threading.Thread(target=refresh, daemon=True)
        thread.start()
        print(f"the sweeps in {copies.root}: http://{HOST}:{serving.server_port}/ (Ctrl-C ends it)", flush=True)
        try:
            serving.serve_forever()
        except KeyboardInterrupt:
            pass
        finally:
            ended.set()
            thread.join()
