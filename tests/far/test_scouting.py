"""Scouting: that a file's recipes are those that its sweep runs, and which of them wins."""

import pytest

from far_kit import ended
from lab.far import scouting
from lab.search.planning import Options, plan
from lab.search.trials import Outcome, Trial

TWO = """
method: grid
parameters:
  seed: {values: [0, 1]}
  layers: {values: [2, 3]}
"""


@pytest.fixture
def two(tmp_path):
    """A sweep of two recipes, with two seeds each."""
    path = tmp_path / "two.yaml"
    path.write_text(TWO)
    return path


@pytest.mark.parametrize("path", [scouting.SHORT, scouting.LONG], ids=lambda path: path.stem)
def test_a_file_asks_for_the_recipes_that_its_sweep_runs(path, tmp_path):
    """The engine is asked for one configuration after the other."""
    planned = plan(path, Options(), tmp_path)
    chooser, trials = planned.chooser(planned.lag), []
    for _ in range(planned.wanted):
        params = chooser.choose(trials)
        trials.append(Trial(params, chooser.name(params), outcome=Outcome.FINISHED, value=0.5))
    expected = [{"seed": 0} | planned.sweep.configuration(trial.params) for trial in trials]
    assert scouting.recipes(path) == expected


def test_a_sweep_that_learns_from_results_is_refused(two):
    two.write_text(TWO.replace("grid", "bayes\nmetric: {name: validationaccuracy, goal: maximize}"))
    with pytest.raises(ValueError, match=r"two\.yaml: method bayes learns from results; expected random or grid"):
        scouting.recipes(two)


@pytest.mark.parametrize(
    ("accuracies", "layers"),
    [
        ([0.90, 0.92, 0.91, 0.92], 3),
        ([0.95, 0.92, 0.91, 0.92], 2),
        ([0.95, None, 0.91, 0.92], 3),  # what diverged is no winner, however good its other seed
    ],
)
def test_the_winner_is_best_by_the_mean_over_its_seeds(accuracies, layers, two):
    configs = [{"layers": k, "seed": seed} for k in (2, 3) for seed in (0, 1)]
    assert scouting.winner(ended(zip(configs, accuracies, strict=True)), two) == {"layers": layers}


def test_there_is_no_winner_while_a_seed_is_lacking(two):
    configs = [{"layers": k, "seed": seed} for k in (2, 3) for seed in (0, 1)][:3]
    others = [{"layers": 5, "seed": seed} for seed in (0, 1)]  # that the file does not ask for
    assert scouting.winner(ended((config, 0.9) for config in configs + others), two) is None
