"""A sweep in the words of the notebook that it is to run: what is taken for what, and what the notebook has not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from common.names import first_unknown, nearest
from common.words import brief, shown
from lab.execution.notebook import TRAINING, Notebook, NotebookError
from lab.search import synonyms
from lab.search.distributions import once
from lab.search.reading import SweepError
from lab.search.space import Listed, Parameter, Weighted
from lab.search.sweepfile import METRICS, Sweep

WIDTHS, DEPTH = "num_hidden_neurons", "layers"  # a list of widths, one a layer, decides the depth


@dataclass
class Fit:
    """A sweep that speaks the notebook's words; raises SweepError for what contradicts itself.

    `said` holds a line for each thing that is taken for another, `lacks` a sentence for each that the notebook has not.
    """

    sweep: Sweep
    notebook: Notebook
    said: list[str] = field(default_factory=list)
    lacks: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        own = self.sweep
        self.said += own.said
        taken: list[str] = []
        space = self._space(taken)
        metric = self._metric(taken)
        changes = {"space": space, "metric": metric, "follow": self._follow(space)}
        changes |= {"settings": self._settings(space, taken), "optimizer": self.notebook.defaults.get("optimizer", "")}
        self.said += taken
        definition = own.definition | ({"taken": taken} if taken else {})
        self.sweep = replace(own, definition=definition, **changes)
        self.said, self.lacks = list(map(brief, self.said)), list(map(brief, self.lacks))
        self._require_images()

    @property
    def taken(self) -> list[str]:
        return self.sweep.definition.get("taken", [])

    def _space(self, taken: list[str]) -> dict[str, Parameter]:
        space: dict[str, Parameter] = {}
        meaning: dict[str, str] = {name: name for name in self.sweep.space}  # whose word each of ours is
        unknown: list[str] = []
        for name, parameter in self.sweep.space.items():
            ours = self._name(name, parameter)
            if ours is None:
                self._without(name, parameter, unknown)
                continue
            if (other := meaning.setdefault(ours, name)) != name:
                self.lacks.append(f"{other!r} and {name!r} both mean {ours}: leave one of them out")
                continue
            if ours != name:
                taken.append(f"{name} is taken for {ours}")
                parameter = replace(parameter, path=(ours,))
            space[ours] = self._in_our_words(ours, parameter, taken)
            self._require_fitting(ours, space[ours])
        self._lack_names(unknown)
        return space

    def _name(self, name: str, parameter: Parameter) -> str | None:
        """The notebook's name for a parameter; None if it has none."""
        if parameter.path[0] in self.notebook.types:
            return name
        ours = synonyms.parameter(name, parameter.examples) if len(parameter.path) == 1 else None
        return ours if ours in self.notebook.types else None

    def _without(self, name: str, parameter: Parameter, unknown: list[str]) -> None:
        """A parameter that the notebook has not, and may do without."""
        if synonyms.bare(name) in map(synonyms.bare, synonyms.ON_WANDB) and len(parameter.examples) == 1:
            self.said.append(f"{name}: for W&B only")
        elif (given := synonyms.given(name)) is None or not self.notebook.names:
            unknown.append(name)
        elif others := [word for word in parameter.examples if synonyms.bare(word) not in given]:
            does = "learns Fashion-MNIST" if name.casefold() == "dataset" else f"has {', '.join(given)}"
            self.lacks.append(f"{name} {shown(others[0])}: {self.notebook.path.name} {does} alone")
        else:
            does = "learns" if name.casefold() == "dataset" else "has"
            self.said.append(f"{name}: {parameter.examples[0]} is what {self.notebook.path.name} {does}")

    def _lack_names(self, unknown: list[str]) -> None:
        what = f"of {self.notebook.path.name}"
        if len(unknown) == 1:
            self.lacks.append(str(first_unknown(unknown, self.notebook.types, f"a parameter {what}")))
        elif unknown:
            self.lacks.append(f"{', '.join(map(repr, unknown))} are no parameters {what}")

    def _in_our_words(self, name: str, parameter: Parameter, taken: list[str]) -> Parameter:
        """The parameter with values that mean the same in the notebook's words, each once."""
        if not isinstance(parameter, Listed | Weighted):
            return parameter
        values = [self._value(name, value) for value in parameter.values]
        for theirs, ours in zip(parameter.values, values, strict=True):
            if repr(ours).casefold() != repr(theirs).casefold():
                taken.append(f"{name} {shown(theirs)} is taken for {shown(ours)}")
        if isinstance(parameter, Weighted):
            return replace(parameter, values=tuple(values))
        return replace(parameter, values=once(name, values, self.said.append))

    def _value(self, name: str, value: Any) -> Any:
        known, kinds = self.notebook.names.get(name), self.notebook.types.get(name, "").split(" or ")
        if known and isinstance(value, str):
            if self.notebook.adds(value) and value.casefold() not in known:
                return value
            first = known.get(value.casefold())
            if first is not None:
                return value if first == value.casefold() else first
            meant = synonyms.value(name, value)
            return meant if meant in known else value
        if self.notebook.names and name == WIDTHS:
            value = synonyms.value(name, value)
        if kinds[0] in ("int", "float") and "str" not in kinds:
            return _number(value, kinds[0])
        return value

    def _require_fitting(self, name: str, parameter: Parameter) -> None:
        for check in (self.notebook.check, self.notebook.check_names):
            try:
                check({name: parameter.examples})
            except NotebookError as error:
                self.lacks.append(str(error))
                return
        if name == WIDTHS and (wrong := [widths for widths in _lists(parameter) if not _are_widths(widths)]):
            raise SweepError(f"{WIDTHS} {shown(wrong[0])} must hold whole numbers from 1 on, one a hidden layer")

    def _follow(self, space: dict[str, Parameter]) -> tuple[str, str] | None:
        """Where widths are listed, the depth follows from them; one that contradicts them is refused."""
        lists = list(_lists(space[WIDTHS])) if WIDTHS in space else []
        if not lists or DEPTH not in self.notebook.types:
            return None
        depths = space[DEPTH].choices if DEPTH in space else None
        if depths is not None and (wrong := [widths for widths in lists if {*depths} != {len(widths)}]):
            rule = f"{WIDTHS} {shown(wrong[0])} has {len(wrong[0])} layers, but {DEPTH} is {shown(list(depths))}"
            raise SweepError(f"{rule}: leave {DEPTH} out, which follows from a list")
        return DEPTH, WIDTHS

    def _settings(self, space: dict[str, Parameter], taken: list[str]) -> dict[str, frozenset[str]]:
        """The settings of optimizers in the space, and who has them: a run with another optimizer leaves them out."""
        known, default = self.notebook.names.get("optimizer", {}), self.notebook.defaults.get("optimizer")
        kinds = {str(kind).casefold() for kind in space["optimizer"].examples} if "optimizer" in space else {default}
        settings: dict[str, frozenset[str]] = {}
        for name, having in self.notebook.settings.items():
            if name in space and (without := (kinds & known.keys()) - having):
                settings[name] = having | (kinds - known.keys())  # what the notebook adds has what it likes
                taken.append(f"{name} is no setting of {', '.join(sorted(without))}, and left out there")
        return settings

    def _metric(self, taken: list[str]) -> str:
        """The notebook's name of the metric; only what 03_train reports is known beforehand."""
        metric = self.sweep.metric
        if self.notebook.path != TRAINING or metric in METRICS:
            return metric
        if ours := synonyms.metric(metric):
            taken.append(f"metric {metric} is taken for {ours}")
            return ours
        what = f"a metric that {TRAINING.name} reports"
        near = nearest(metric, METRICS)
        longer = near and near in synonyms.bare(metric)  # test/accuracy is another thing than accuracy
        self.lacks.append(str(first_unknown([metric], METRICS, what, hinted=not longer)))
        return metric

    def _require_images(self) -> None:
        """A metric of validation needs images to validate with."""
        fraction, key = self.sweep.space.get("validation_fraction"), "validation_fraction"
        fractions: Sequence[Any] = fraction.examples if fraction else [self.notebook.defaults.get(key)]
        if self.sweep.metric in METRICS and self.sweep.metric.startswith("validation") and 0 in fractions:
            raise SweepError(f"metric {self.sweep.metric!r} needs validation images, but {key} can be 0")


def _lists(parameter: Parameter) -> Iterator[list[Any]]:
    return (value for value in parameter.examples if isinstance(value, list))


def _are_widths(widths: list[Any]) -> bool:
    return bool(widths) and all(type(width) is int and width > 0 for width in widths)


def _number(value: Any, kind: str) -> Any:
    """A number where one is meant: 64 for "64", and 64 for 64.0 where it must be whole."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return value
    whole = isinstance(value, float) and value.is_integer()
    return int(value) if whole and kind == "int" else value
