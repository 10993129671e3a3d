"""A sweep file in W&B's format: what it says means here exactly what it means there, or is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from common.names import first_unknown
from lab.execution.notebook import Config
from lab.search.confirmation import Confirmation, confirmation
from lab.search.distributions import number, read_space
from lab.search.reading import SweepError, load, refuse_secrets, require_plain, shown
from lab.search.space import Space, configuration, size
from lab.search.stopping import GOALS, Hyperband, hyperband

__all__ = ["METRICS", "Sweep", "SweepError", "load", "number", "read"]

OURS, CONFIRM = "seeds", "confirm"  # the keys that W&B does not know
TEXTS = ("name", "description", "project", "program", "entity", "job", "image_uri", "apiVersion", "kind")
KEYS = (
    *TEXTS,
    "method",
    "metric",
    "parameters",
    "run_cap",
    "early_terminate",
    "command",
    "controller",
    "scheduler",
    OURS,
    CONFIRM,
)
ELSEWHERE = ("entity", "job", "image_uri", "apiVersion", "kind", "controller", "scheduler")  # of no meaning but on W&B
METHODS = ("random", "bayes", "grid")
METRICS = {  # what 03_train reports, and the column of a table (where `loss` is the loss function of the configuration)
    "loss": "trainloss",
    "accuracy": "trainaccuracy",
    "validationloss": "validationloss",
    "validationaccuracy": "validationaccuracy",
}
METRIC = {"name": "validationaccuracy", "goal": "maximize"}  # where a file names none
ONE_OF_ONES_OWN = "a scheduler of one's own works on W&B only: take method random, bayes or grid, and one metric"
IMPUTED = ("worst", "best", "latest")
MOST_SEEDS = 1000
OTHERS = ("single", "notebooks", "baseline", "results.json", "benchmark.json")  # what lies beside sweeps' folders


@dataclass(frozen=True)
class Sweep:
    """What a sweep file asks for."""

    name: str
    method: str  # random, grid or bayes
    metric: str  # what runs report, after the last epoch
    goal: str  # maximize or minimize
    target: float | None  # once a run has reached it, no other begins
    space: Space
    run_cap: int | None
    project: str | None  # on W&B
    seeds: int  # runs of each configuration, with seeds 0, 1, ...; it counts by their mean
    stopping: Hyperband | None
    confirm: Confirmation | None  # of its best, once it has ended
    definition: Config  # what the file says that decides which runs are made
    source: Config  # all that it says
    said: tuple[str, ...] = ()  # what is worth a line before the first run
    follow: tuple[str, str] | None = None  # a parameter that is the length of another, where that is a list
    optimizer: str = ""  # where no parameter says which
    settings: Mapping[str, frozenset[str]] = field(default_factory=dict)  # of optimizers, and those that have them

    @property
    def size(self) -> float:
        """The number of different configurations; infinite if a parameter is continuous."""
        if not self.settings:
            return size(self.space)
        others = {name: parameter for name, parameter in self.space.items() if name != "optimizer"}
        kinds = self.space["optimizer"].choices if "optimizer" in self.space else [self.optimizer]
        counting = ({name: p for name, p in others.items() if self._counts(name, kind)} for kind in kinds)
        return sum(map(size, counting))

    def _counts(self, name: str, optimizer: object) -> bool:
        """Whether a parameter is one that this optimizer has, or no optimizer's setting at all."""
        return name not in self.settings or str(optimizer).casefold() in self.settings[name]

    def configuration(self, chosen: Config) -> Config:
        """What the notebook gets for what Optuna has chosen."""
        config = configuration(self.space, chosen)
        optimizer = config.get("optimizer", self.optimizer)
        config = {name: value for name, value in config.items() if self._counts(name, optimizer)}
        if self.follow and isinstance(config[self.follow[1]], list):
            config[self.follow[0]] = len(config[self.follow[1]])
        return config

    def reached(self, value: float | None) -> bool:
        """Whether this value of the metric is as good as the target."""
        if self.target is None or value is None:
            return False
        return GOALS[self.goal](value, self.target) == value


def read(source: str | Path | dict) -> Sweep:
    """Read a sweep from a YAML or JSON file, or from a dictionary; raise SweepError for what it cannot mean here."""
    said: list[str] = []
    raw = source if isinstance(source, dict) else load(Path(source), said.append)
    require_plain(raw)
    refuse_secrets(raw)
    _refuse_others(raw)
    require(raw, KEYS, "a key of a sweep")
    _require_texts(raw)
    name = raw.get("name") or ("sweep" if isinstance(source, dict) else Path(source).stem)
    refuse_name(name, (*OTHERS, "evaluation"))
    method = _method(raw)
    metric = _metric(raw, said.append)
    seeds = _count(raw, OURS, MOST_SEEDS) or 1
    space = read_space(raw.get("parameters"), method == "grid", said.append)
    if seeds > 1 and "seed" in space:
        raise SweepError("seeds and the parameter 'seed' say the same thing: leave one of them out")
    if elsewhere := [key for key in ELSEWHERE if key in raw]:
        said.append(f"{', '.join(elsewhere)}: for W&B only")
    definition = {"method": method, "metric": metric, "parameters": raw["parameters"]}
    definition |= {key: raw[key] for key in (OURS, "early_terminate") if raw.get(key) is not None}
    return Sweep(
        name=name,
        method=method,
        metric=metric["name"],
        goal=metric["goal"],
        target=metric.get("target"),
        space=space,
        run_cap=_count(raw, "run_cap"),
        project=raw.get("project"),
        seeds=seeds,
        stopping=_stopping(raw, said.append),
        confirm=confirmation(raw.get(CONFIRM)),
        definition=definition,
        source=raw | {"name": name},
        said=tuple(said),
    )


def _refuse_others(raw: Config) -> None:
    """Refuse keys of which the nearest that there is would lead astray."""
    if "metrics" in raw:
        raise SweepError(ONE_OF_ONES_OWN)
    if "seed" in raw:
        raise SweepError("seed is not a key of a sweep: the search's is --seed, the networks' a parameter 'seed'")
    if "count" in raw:
        raise SweepError("count is not a key of a sweep: say run_cap, or --count on the command line")


def refuse_name(name: str, taken: Iterable[str]) -> None:
    if name.casefold() in taken:  # a file system may not tell capitals from small letters
        raise SweepError(f"a sweep cannot have the name {name!r}, whose folder keeps other runs: choose another name")
    if not name.isprintable() or not name.strip():
        raise SweepError(f"a sweep cannot have the name {shown(name)}: choose one that can be seen, in one line")


def require(names: Iterable[object], known: Iterable[str], what: str) -> None:
    if sentence := first_unknown(names, list(known), what):
        raise SweepError(sentence)


def _require_texts(raw: Config) -> None:
    for key in TEXTS:
        if not isinstance(raw.get(key, ""), str | None):
            raise SweepError(f"{key} must be text, not {shown(raw[key])}: put it in quotes")
    if not isinstance(raw.get("command", []), list):
        raise SweepError(f"command must be a list of words, not {shown(raw['command'])}")
    controller = raw.get("controller", {"type": "cloud"})
    if not isinstance(controller, dict) or controller.get("type") not in ("cloud", "local"):
        raise SweepError(f"controller must be of type cloud or local, not {shown(controller)}")


def _method(raw: Config) -> str:
    """The method; one that W&B hands to a scheduler of one's own has no meaning here."""
    method, scheduler = raw.get("method"), raw.get("scheduler", {"engine": "wandb"})
    if method == "custom" or scheduler != {"engine": "wandb"}:
        raise SweepError(ONE_OF_ONES_OWN)
    if method is None:
        raise SweepError(f"a sweep needs a method: choose from {', '.join(METHODS)}")
    require([method], METHODS, "a method")
    return method


def _metric(raw: Config, say: Callable[[str], object]) -> Config:
    """The metric as W&B completes it; what needs one and has none is refused, as there."""
    metric, needing = raw.get("metric"), "method bayes" if raw["method"] == "bayes" else "early_terminate"
    if metric is None:
        if raw["method"] == "bayes" or raw.get("early_terminate") is not None:
            raise SweepError(f"{needing} needs a metric: name one, with its goal")
        return METRIC
    if not isinstance(metric, dict) or not isinstance(metric.get("name"), str) or not metric["name"]:
        raise SweepError(f"metric must have a name, and may have a goal, not {shown(metric)}")
    require(metric, ("name", "goal", "target", "impute", "impute_while_running"), "a setting of a metric")
    if "goal" not in metric:
        say(f"metric {shown(metric['name'])} has no goal: minimized, as on W&B")
    require([metric.get("goal", "minimize")], GOALS, "a goal")
    if type(metric.get("target", 0)) not in (int, float):
        raise SweepError(f"target of the metric must be a number, not {shown(metric['target'])}")
    _require_imputed(metric, raw["method"], say)
    return {"goal": "minimize"} | metric


def _require_imputed(metric: Config, method: str, say: Callable[[str], object]) -> None:
    """What bayes takes for the metric of a run without one: here, as W&B does by default, the worst."""
    require([metric.get("impute", "worst")], IMPUTED, "a way to impute")
    require([metric.get("impute_while_running", "false")], (*IMPUTED, "false"), "a way to impute while running")
    others = {"impute": ("worst",), "impute_while_running": ("false",)}
    for key, possible in others.items():
        if method == "bayes" and metric.get(key, possible[0]) not in possible:
            raise SweepError(f"{key}: {metric[key]} is not implemented for bayes: leave it out, which is {possible[0]}")
        if method != "bayes" and key in metric:
            say(f"{key} has no effect with method {method}, as on W&B")


def _count(raw: Config, key: str, most: float = float("inf")) -> int | None:
    count = raw.get(key)
    if count is None:
        return None
    if type(count) not in (int, float) or count != int(count) or not 1 <= count <= most:
        limit = f"from 1 to {most}" if most < float("inf") else "at least 1"
        raise SweepError(f"{key} must be a whole number, {limit}, not {shown(count)}")
    return int(count)


def _stopping(raw: Config, say: Callable[[str], object]) -> Hyperband | None:
    entry = raw.get("early_terminate")
    try:
        return None if entry is None else hyperband(entry, say)
    except ValueError as error:
        raise SweepError(str(error)) from error
