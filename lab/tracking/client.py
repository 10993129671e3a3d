"""A run on W&B: online, offline or not at all. What goes wrong there ends no run."""

from __future__ import annotations

import functools
import importlib
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from common.files import scratch_until_exit
from common.words import LONGEST_QUOTE, brief, masked
from lab.tracking.record import ENDED

PROJECT = "fashion-mnist-numpy"
MODES = ("online", "offline", "disabled", "shared", "dryrun", "run")  # of W&B
CURE = "set it right, or set WANDB_MODE=offline"
ASK = 10  # seconds that its server may take to answer before many runs begin
FINISH = 60  # seconds that W&B may take to send what is left when a run has ended


class WandbError(ValueError):
    """A setting of W&B's with which nothing can be kept there; the text is one sentence."""


def wandb_mode() -> str:
    """Where W&B keeps runs: what WANDB_MODE says, else online where there is a key, else offline. Never a prompt.

    Raises WandbError for a mode that W&B does not have, and for a key or an address that can be none.
    """
    check_mode()
    if mode := os.environ.get("WANDB_MODE", ""):
        return mode
    os.environ.pop("WANDB_MODE", None)  # W&B takes an empty one for an error
    return "online" if find_key() else "offline"


def reachable_mode() -> str:
    """The same, but offline, with a sentence, where W&B cannot be had now: asked once, before many runs."""
    if (mode := wandb_mode()) not in ("online", "run", "shared"):
        return mode
    reason = "no key is known, for which `wandb login` asks"
    try:
        if find_key():
            _wandb().Api(timeout=ASK)  # which asks the server whether it takes the key
            return mode
    except WandbError:
        raise
    except Exception as error:
        reason = said(error)
    print(f"W&B keeps these runs offline ({reason}); `python sweep.py upload` sends them later", flush=True)
    return "offline"


def find_key() -> bool:
    """Whether there is a key of W&B's; raises WandbError for what can be none."""
    try:
        return bool(_wandb().login(prompt=False, verify=False))
    except Exception as error:  # what W&B raises for a setting has no common base
        raise WandbError(f"{said(error)}: {CURE}") from error


def said(error: Exception) -> str:
    """What an error of W&B's says, in a short line; of pydantic's several, the part that names the setting."""
    lines = [line.strip() for line in str(error).split("\n") if line.strip()] or [type(error).__name__]
    line = lines[0]
    if "validation error" in line and len(lines) > 2:
        line = f"W&B refuses its setting {lines[1]}: {lines[2].partition(' [type=')[0]}"
    return brief(masked(line), LONGEST_QUOTE).rstrip(".")


def check_mode() -> None:
    """Raise WandbError, with the modes there are, for a WANDB_MODE that W&B does not have."""
    mode = os.environ.get("WANDB_MODE", "")
    if mode and mode not in MODES:
        raise WandbError(f"WANDB_MODE is {mode!r}, which is no mode of W&B's: choose from {', '.join(MODES)}")


class Mirror:
    """What W&B keeps of a run under way, offline if its server cannot be had.

    An error of W&B's is said in a sentence, and from then on nothing is kept there.
    """

    def __init__(self, name: str, config: Mapping[str, Any], folder: Path) -> None:
        self.run: Any = None  # W&B's; None where W&B is disabled or has failed
        self._later = f"`wandb sync {folder / 'wandb'}` uploads it later"
        with self._surviving():
            self.run = self._begin(name, config, folder)

    def log(self, epoch: Mapping[str, Any]) -> None:
        """Keep an epoch."""
        with self._surviving():
            if self.run:
                self.run.log(dict(epoch))

    def note(self, facts: Mapping[str, Any]) -> None:
        """Add to the configuration."""
        with self._surviving():
            if self.run:
                self.run.config.update(facts)

    def end(self, status: str) -> None:
        """End the run. One that did not arrive in time becomes an offline one, which can be uploaded later."""
        with self._surviving():
            if self.run:
                self._end(status)

    def _begin(self, name: str, config: Mapping[str, Any], folder: Path) -> Any:
        mode = wandb_mode()
        if mode == "disabled":
            return None
        wandb, options = _wandb(), _options(name, config, folder)
        try:
            return _init(mode=mode, **options)
        except wandb.Error as error:
            print(f"W&B keeps this run offline ({said(error)}); {self._later}.", flush=True)
            return _init(mode="offline", **options)

    def _end(self, status: str) -> None:
        self.run.summary["status"] = status
        try:
            self.run.finish(exit_code=0 if status in ENDED else 1)
        except TimeoutError:
            folder = Path(self.run.settings.sync_dir)
            with suppress(OSError):
                folder.rename(folder.with_name(f"offline-{folder.name}"))
            print(f"W&B has not got all of this run ({FINISH} s were not enough); {self._later}.", flush=True)

    @contextmanager
    def _surviving(self) -> Iterator[None]:
        """Let no error of W&B's end the run."""
        try:
            yield
        except Exception as error:
            self.run = None
            print(f"W&B keeps no more of this run ({said(error)}); record.json keeps it all.", flush=True)


def imported() -> Any:
    """W&B's client; the folders that it makes when it is imported lie where the next process clears them."""
    if "wandb" not in sys.modules:
        usual, tempfile.tempdir = tempfile.tempdir, str(scratch_until_exit("fashion-mnist-wandb"))
        try:
            importlib.import_module("wandb")  # here, since WANDB_MODE=disabled need not wait for it
        finally:
            tempfile.tempdir = usual
    if util := sys.modules.get("wandb.util"):
        _list_packages_once(util)
    return sys.modules["wandb"]


def _list_packages_once(util: Any) -> None:
    """Each run says which packages are installed; to read that anew would take a tenth of a second of each."""
    packages = util.working_set
    if not hasattr(packages, "cache_info"):  # somebody else may have imported it
        util.working_set = functools.cache(lambda: list(packages()))


def _wandb() -> Any:
    """W&B's client, told to be silent."""
    wandb = imported()
    wandb.setup(wandb.Settings(silent=True))
    return wandb


def _init(**options: Any) -> Any:
    """Begin a run; W&B does not get to know the arguments of this process, which may hold a password."""
    words, sys.argv = sys.argv, sys.argv[:1]
    try:
        return _wandb().init(**options)
    finally:
        sys.argv = words


def _options(name: str, config: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """What W&B is told of a run."""
    settings = _wandb().Settings(
        silent=True, console="off", init_timeout=10, finish_timeout=FINISH, finish_timeout_raises=True
    )
    options = {"name": name, "config": dict(config), "dir": folder, "settings": settings}
    if not os.environ.get("WANDB_RUN_ID"):  # below a W&B agent the run exists, with its project and its sweep
        options |= {"project": os.environ.get("WANDB_PROJECT") or PROJECT, "group": folder.parent.name}
    return options


def keep_offline(record: Mapping[str, Any], folder: Path, project: str | None = None) -> None:
    """Make a run that has ended an offline run of W&B's in its folder, from its record.

    A sweep's driver does this for its kernels, each of which would spend over a second on W&B's start.
    """
    config = record["config"] | {key: record[key] for key in record.get("noted", ())}
    options = _options(record["name"], config, folder) | ({"project": project} if project else {})
    run = _init(mode="offline", reinit="create_new", **options)
    for epoch in record["history"]:
        run.log(epoch)
    run.summary["status"] = record["status"]
    run.finish(exit_code=0 if record["status"] in ENDED else 1)
