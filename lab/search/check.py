"""What a sweep file means with a notebook, said without running anything."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lab.execution.notebook import TRAINING, Notebook
from lab.search.fitting import Fit
from lab.search.reading import shown
from lab.search.space import Drawn, Listed, Parameter, Real, Stepped, Weighted, Whole
from lab.search.sweepfile import Sweep, read

RUNS, LACKING = 0, 2  # exit codes; a file that is refused is 1, as any mistake
WANDB = ("project", "description", "program", "command", "entity", "job", "image_uri", "controller", "scheduler")


def check(file: str | Path, notebook: str | Path = TRAINING, say: Callable[[str], object] = print) -> int:
    """Say what a file means; return whether it runs as it stands, as an exit code.

    Raises SweepError or NotebookError for what is refused.
    """
    sweep = read(file)
    fit = Fit(sweep, Notebook(notebook))
    say(_headline(fit.sweep, sweep.size))
    for name, parameter in fit.sweep.space.items():
        say(f"  {name}: {_meaning(parameter)}")
    for line in fit.said:
        say(line)
    if used := [key for key in WANDB if key in sweep.source]:
        say(f"used on W&B alone: {', '.join(used)}")
    for sentence in fit.lacks:
        say(f"lacking: {sentence}")
    if not fit.lacks:
        say(f"{file} runs as it stands{_count(fit.sweep)}")
    return LACKING if fit.lacks else RUNS


def _headline(sweep: Sweep, size: float) -> str:
    many = "any number of configurations" if size == math.inf else f"{size:,} configuration{'s' * (size != 1)}"
    facts = [f"{shown(sweep.name)}: {sweep.method}, {sweep.goal} {shown(sweep.metric)}", many]
    if sweep.target is not None:
        facts.append(f"until {sweep.target:g}")
    if sweep.run_cap:
        facts.append(f"{sweep.run_cap} at most")
    if sweep.seeds > 1:
        facts.append(f"{sweep.seeds} seeds each")
    if sweep.confirm:
        facts.append(str(sweep.confirm))
    if sweep.stopping:
        epochs = ", ".join(map(str, sweep.stopping.bands[:4]))
        more = ", ..." if len(sweep.stopping.bands) > 4 else ""
        facts.append(f"hyperband after epochs {epochs}{more}")
    return ", ".join(facts)


def _count(sweep: Sweep) -> str:
    return "" if sweep.run_cap or (sweep.method == "grid" and sweep.size < math.inf) else ", with a --count"


def _meaning(parameter: Parameter) -> str:
    match parameter:
        case Listed():
            return f"one of {_list(parameter.values)}" if len(parameter.values) > 1 else _list(parameter.values)
        case Weighted():
            odds = ", ".join(f"{share:g}" for share in parameter.probabilities)
            return f"one of {_list(parameter.values)}, with probabilities {odds}"[:400]
        case Whole():
            return f"a whole number from {parameter.low} to {parameter.high}"
        case Stepped():
            return f"{parameter.examples[0]:g} to {parameter.examples[1]:g} in steps of {parameter.step:g}"
        case Real():
            scale = " on a logarithmic scale" if parameter.log else ""
            return f"a number from {parameter.low:g} to {parameter.high:g}{scale}"
        case Drawn():
            steps = "" if parameter.q is None else f", rounded to multiples of {parameter.q:g}"
            return f"a number drawn from {parameter.law}({_list(parameter.arguments)}){steps}"
    return type(parameter).__name__


def _list(values: Any) -> str:
    return ", ".join(shown(value, 40) for value in values[:12]) + (", ..." if len(values) > 12 else "")
