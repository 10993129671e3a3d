"""What the files of this project hold, each described once; what is read is compared with it, and named if it differs.

Further entries are allowed: a notebook may put on record what it likes. Imported where a file is read, and not before:
pydantic takes longer to import than a kernel has.
"""

from __future__ import annotations

import re
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    RootModel,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from common.files import content_of
from common.words import brief

JSON = TypeAdapter(Any)  # nested up to 200 deep
LONGEST = 400  # characters that a sentence quotes
BARE = "gemm"  # the peer that only multiplies matrices


def _one_file(name: str) -> str:
    if name in ("", ".", "..") or set(name) & set("/\\\0"):
        raise ValueError("must be the name of one folder")
    return name


def _moment(text: str) -> str:
    datetime.fromisoformat(text)
    return text


Number = Annotated[float, Field(allow_inf_nan=False)]  # whole ones too
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Name = Annotated[str, AfterValidator(_one_file)]  # which becomes part of a path
Moment = Annotated[str, AfterValidator(_moment)]
Text = dict[str, str]


class Damaged(ValueError):
    """A file that does not hold what it should; the text names it, and where it differs."""

    def __init__(self, sentence: str) -> None:
        super().__init__(brief(sentence, LONGEST))


class _Described(BaseModel):
    model_config = ConfigDict(strict=True, extra="allow")
    what: ClassVar[str]


class Epoch(_Described):
    """One epoch of a run; null where a number was not finite."""

    epoch: int
    loss: Number | None = None
    accuracy: Number | None = None
    validationloss: Number | None = None
    validationaccuracy: Number | None = None
    seconds: Number = 0.0


class RunRecord(_Described):
    """record.json of a run."""

    what = "record of a run"
    name: Name
    status: Literal["running", "finished", "stopped", "diverged", "failed", "interrupted"]
    error: str | None
    config: dict[str, Any]
    history: list[Epoch]
    seconds: Number
    fingerprint: str | None
    started: str | None = None
    finished: str | None = None
    commit: str | None = None
    versions: Text = {}
    noted: list[str] = []
    taken: list[str] = []

    @model_validator(mode="after")
    def _whole(self) -> RunRecord:
        if self.status == "stopped" and not self.history:
            raise ValueError("a run that was stopped has had an epoch")
        return self


class Result(_Described):
    """A headline number."""

    what = "result with a value and a note"
    value: str
    note: str = ""


class Results(RootModel[dict[str, Result]]):
    """results.json: headline numbers by their labels."""

    what: ClassVar[str] = "list of results"


class Confirmed(_Described):
    """confirmation.json: which sweeps it confirms, by what, and its runs, those of a configuration together."""

    what = "confirmation of a sweep"
    sweeps: list[str]
    best: Annotated[int, Field(ge=1)]
    seeds: Annotated[int, Field(ge=2)]
    metric: str
    goal: Literal["maximize", "minimize"]
    runs: list[list[Name]]


class Provenance(_Described):
    """How an executed notebook was made."""

    what = "provenance"
    commit: str | None
    date: Moment
    seconds: Number
    parameters: dict[str, Any]
    versions: Text
    machine: str
    command: str


class SweepOptions(_Described):
    """How a sweep was started, as `resume` starts it again: nothing that it does not know."""

    model_config = ConfigDict(strict=True, extra="forbid")
    count: int | None = None
    workers: int = 2
    seed: int = 0
    after: list[str] = []
    timeout: Positive = 3600
    keep: int | None = None
    reuse: bool = False
    notebook: str = ""
    cluster: str | None = None
    confirm: str | None = None


class SweepState(_Described):
    """sweep.json: what is run under a sweep's name now, by a study or as given configurations."""

    what = "state of a sweep"
    study: str = ""
    names: list[Name] = []
    fingerprint: str
    metric: str
    goal: Literal["maximize", "minimize"]
    total: Annotated[int, Field(ge=0)]
    seeds: Annotated[int, Field(ge=1)] = 1
    source: dict[str, Any] = {}
    options: SweepOptions = SweepOptions()
    taken: list[str] = []

    @model_validator(mode="after")
    def _either(self) -> SweepState:
        if len({"study", "names"} & self.model_fields_set) != 1:
            raise ValueError("must have either a study or names of runs")
        return self


class Timed(_Described):
    """Seconds of a peer, once a round."""

    cpu: list[Positive]
    wall: list[Positive]

    @property
    def seconds(self) -> tuple[list[float], list[float]]:
        return self.cpu, self.wall


class Started(_Described):
    """The start of a peer, once a round."""

    seconds: list[Number]
    memory: list[Number]


Measured = Annotated[str, Field(pattern=r"^(compare \w+ \d+|start [\w-]+|pair [\w-]+ \w+)$")]
Compared = dict[str, dict[str, Timed]]  # by request and peer


class Benchmark(_Described):
    """benchmark.json, as far as pages show it."""

    what = "result of make bench"
    titles: Text
    machine: str
    versions: Text
    commit: str | None
    date: str
    rounds: int
    measured: dict[Measured, Compared | Started | list[Number]]

    @model_validator(mode="after")
    def _whole(self) -> Benchmark:
        for key, entry in self.measured.items():
            if isinstance(entry, dict):  # compared
                rounds = {len(some) for timed in entry.values() for peer in timed.values() for some in peer.seconds}
                if len(rounds) > 1 or any(BARE not in timed for timed in entry.values()):
                    raise ValueError(f"{key} must hold as many rounds of each peer, and of {BARE}")
                if nameless := {peer for timed in entry.values() for peer in timed} - self.titles.keys():
                    raise ValueError(f"titles must name {min(nameless)}")
        return self


class Swept(_Described):
    """sweeping.json: what a sweep's runs cost, and how many there were in an hour."""

    what = "result of make bench-sweep"
    processor: str
    commit: str | None
    date: Moment
    runs: Annotated[int, Field(gt=0)]
    workers: Annotated[int, Field(gt=0)]
    backend: str  # of the network that was trained
    overhead: Number
    share: dict[str, Positive]  # of the time that the cores trained, by sweep
    an_hour: Annotated[dict[str, Positive], Field(alias="an hour")]  # configurations, by sweep, and by W&B's agent


def described(model: type[_Described] | type[Results], content: Any, name: object) -> dict[str, Any]:
    """The content, if it is what the model describes; raises Damaged, with what it is called, if not."""
    try:
        model.model_validate(content)
    except ValidationError as error:
        raise Damaged(f"{name} is no {model.what} ({_first(error)})") from error
    return content


def _first(error: ValidationError) -> str:
    """Where content differs from its description, and how."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    how = re.sub(" or instance of .*", "", first["msg"]).replace("Input should be", "must be")
    where = ".".join(map(str, first["loc"]))
    return f"{where}: " * bool(where) + how.removeprefix("Value error, ")


def read_as(model: type[_Described] | type[Results], path: Path) -> dict[str, Any] | None:
    """The content of a JSON file that is what the model describes; None where there is no file.

    Raises Damaged for any other, also for one that cannot be read, and PermissionError for one that may not be.
    """
    try:
        content = JSON.validate_json(content_of(path))
    except FileNotFoundError:
        return None
    except PermissionError:
        raise
    except (OSError, ValidationError) as error:
        why = _first(error) if isinstance(error, ValidationError) else error.strerror
        raise Damaged(f"{path} is no {model.what} ({why})") from error
    return described(model, content, path)


def read_or_say(model: type[_Described], path: Path, maker: str) -> dict[str, Any]:
    """The same; empty without a file, or for one that is damaged, which is then said, with what makes it anew."""
    try:
        return read_as(model, path) or {}
    except Damaged as error:
        print(f"{error}: `{maker}` measures anew", file=sys.stderr)
        return {}
