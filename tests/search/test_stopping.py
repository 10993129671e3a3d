"""Early termination: the rule decides as W&B's does, and a run that is stopped says so and costs no more."""

import pytest

from lab.search import stopping


def hyperband(**entry):
    return stopping.hyperband({"type": "hyperband", **entry})


@pytest.mark.parametrize(
    ("entry", "bands"),
    [
        ({"max_iter": 27, "s": 2}, (3, 9)),
        ({"max_iter": 5, "s": 2, "eta": 2}, (1, 2)),
        ({"max_iter": 4, "s": 9, "eta": 2}, (1, 2)),
        ({"min_iter": 3}, (3, 9, 27, 81)),
        ({"min_iter": 1, "eta": 2}, (1, 2, 4, 8)),
        ({"min_iter": 2, "max_iter": 27, "s": 2}, (3, 9)),
        ({"min_iter": 3, "s": 2}, (3, 9, 27, 81)),
        ({"min_iter": 3, "max_iter": 27}, (3, 9, 27, 81)),
        ({"max_iter": 27, "s": 700}, (1, 3, 9)),
        ({"max_iter": 27, "s": 10**9, "eta": 1.5}, (1, 2, 3, 5)),
        ({"min_iter": 10**7}, (10**7, 3 * 10**7, 9 * 10**7, 27 * 10**7)),
    ],
)
def test_the_bands_that_wandb_documents(entry, bands):
    assert hyperband(**entry).bands[:4] == bands


def test_what_has_no_effect_is_said():
    said = []
    for entry in ({"min_iter": 3, "s": 2}, {"min_iter": 2, "max_iter": 27, "s": 2}, {"min_iter": 3}):
        stopping.hyperband({"type": "hyperband"} | entry, said.append)
    assert said == [
        "early_terminate: s has no effect here, as on W&B",
        "early_terminate: min_iter has no effect beside max_iter and s, as on W&B",
    ]


@pytest.mark.parametrize("eta", [1.0000001, 1e300])
def test_any_eta_gives_bands_at_once(eta):
    assert len(hyperband(min_iter=3, eta=eta).bands) <= 100
    if eta < 2:
        with pytest.raises(ValueError, match="would judge at more than 10000 epochs: take a smaller s"):
            hyperband(max_iter=10**9, s=10**9, eta=eta)


# The example in W&B's own source, to be minimized: which of five runs are to be stopped.
RUNS = {"a": [10, 9], "b": [10, 10], "c": [10, 8, 8], "d": [10, 7, 7], "e": [10, 6, 6]}


def test_the_example_in_wandbs_source():
    rule = hyperband(max_iter=5, eta=2, s=2)
    stopped = {
        name
        for name, run in RUNS.items()
        if rule.stops(run, [RUNS[other] for other in RUNS if other != name], "minimize")
    }
    assert stopped == {"a", "b"}  # at epoch 2 the values are 6, 7, 8, 9, 10, and the third best is still let through


def test_strict_judges_by_the_band_and_not_by_the_best_since():
    run, others = [0.2, 0.9], [[0.5], [0.6], [0.7]]
    assert not hyperband(min_iter=1, eta=4, strict=False).stops(run, others, "maximize")
    assert hyperband(min_iter=1, eta=4, strict=True).stops(run, others, "maximize")
    assert hyperband(min_iter=1, eta=4).strict  # as W&B has it since April 2024


def test_who_comes_first_or_has_reached_no_band_goes_on():
    rule = hyperband(min_iter=2)
    assert not rule.stops([0.1], [[0.9, 0.9]] * 9, "maximize")
    assert not rule.stops([0.1, 0.1], [[0.9]], "maximize")
    assert rule.stops([0.1, 0.1], [[0.9, 0.9]] * 2, "maximize")


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ("hyperband", "early_terminate must hold its type and settings, not 'hyperband'"),
        ({"type": "envelope"}, "early_terminate must be of type hyperband, not {'type': 'envelope'}"),
        ({"type": "hyperband"}, "early_terminate needs either min_iter, or max_iter and s"),
        ({"type": "hyperband", "max_iter": 9}, "early_terminate needs either min_iter, or max_iter and s"),
        ({"type": "hyperband", "miniter": 3}, "early_terminate has no setting 'miniter': choose from type, min_iter"),
        ({"type": "hyperband", "min_iter": 0}, "min_iter of early_terminate must be a whole number, at least 1, not 0"),
        ({"type": "hyperband", "min_iter": 1, "eta": 1}, "needs an eta above 1"),
        ({"type": "hyperband", "min_iter": 1, "strict": "no"}, "a strict that is true or false"),
        ({"type": "hyperband", "max_iter": 2, "s": 3}, "no epoch to stop at: max_iter 2 is below eta 3"),
    ],
)
def test_what_it_cannot_mean_is_refused_in_one_sentence(entry, sentence):
    with pytest.raises(ValueError, match="early_terminate") as refusal:
        stopping.hyperband(entry)
    assert sentence in str(refusal.value)
