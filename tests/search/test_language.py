"""Sweep files: what they may say means here what it means on W&B, and anything else is refused in one sentence."""

import json
from pathlib import Path

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from lab.execution.notebook import TRAINING, Notebook
from lab.search import sweep
from sweep_kit import METRIC, definition


def test_the_sweep_of_the_design_in_three_methods():
    files = Path(sweep.__file__).parents[2] / "sweeps"
    for method in ("random", "bayes", "grid"):
        found = sweep.read(files / f"{method}.yaml")
        assert (found.name, found.method, found.metric, found.goal) == (method, method, *METRIC.values())
        assert {key: parameter.choices for key, parameter in found.space.items()} == {
            "max_epochs": (5, 10),
            "initializer": ("RANDOM", "XAVIER"),
            "layers": (2, 3, 4),
            "num_hidden_neurons": (32, 64, 128),
            "activation": ("RELU", "SIGMOID", "TANH"),
            "learning_rate": (0.001, 0.0001),
            "weight_decay": (0, 0.0005, 0.5),
            "optimizer": ("SGD", "MGD", "NAG", "RMSPROP", "ADAM"),
            "batch_size": (16, 32, 64),
        }
        assert found.size == 9720
    assert sweep.read(files / "random.yaml").run_cap == 24


def test_the_sweep_files_fit_the_training_notebook():
    files = Path(sweep.__file__).parents[2] / "sweeps"
    book = Notebook(TRAINING)
    for file in files.glob("*.yaml"):
        book.check({key: parameter.choices for key, parameter in sweep.read(file).space.items()})


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"value": "ADAM"}, CategoricalDistribution(["ADAM"])),
        ({"distribution": "constant", "value": 3}, CategoricalDistribution([3])),
        ({"distribution": "categorical", "values": [1, None]}, CategoricalDistribution([1, None])),
        ({"values": ["1e-05", "1E+2", "1e", "e5"]}, CategoricalDistribution([1e-5, 100.0, "1e", "e5"])),
        ({"min": 1, "max": 5}, IntDistribution(1, 5)),
        ({"distribution": "int_uniform", "min": 1, "max": 5}, IntDistribution(1, 5)),
        ({"min": 0.0, "max": 5}, FloatDistribution(0, 5)),
        ({"distribution": "uniform", "min": 0, "max": 5}, FloatDistribution(0, 5)),
        ({"distribution": "log_uniform_values", "min": "1e-4", "max": 1}, FloatDistribution(1e-4, 1, log=True)),
        (
            {"distribution": "log_uniform", "min": -2, "max": 0},
            FloatDistribution(0.1353352832366127, 1, log=True),
        ),
    ],
)
def test_every_way_to_give_a_parameter(entry, expected):
    found = sweep.read(definition(parameters={"learning_rate": entry})).space["learning_rate"]
    assert found.distribution == expected


def test_yaml_json_and_dictionary_say_the_same(tmp_path):
    (tmp_path / "one.json").write_text(json.dumps(definition()))
    (tmp_path / "two.yaml").write_text(json.dumps(definition()).replace("\t", " "))
    assert sweep.read(tmp_path / "one.json") == sweep.read(tmp_path / "two.yaml") == sweep.read(definition())


def test_a_file_without_a_name_lends_its_own(tmp_path):
    (tmp_path / "mine.yaml").write_text("method: grid\nparameters: {layers: {values: [1, 2]}}")
    found = sweep.read(tmp_path / "mine.yaml")
    assert (found.name, found.metric, found.goal) == ("mine", "validationaccuracy", "maximize")


X = "learning_rate"


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        (definition(metod="grid"), "'metod' is not a supported key of a sweep: the nearest is 'method'"),
        (definition("baies"), "'baies' is not a supported method: the nearest is 'bayes'"),
        (
            definition(metric={"name": "validation_accuracy", "goal": "maximize"}),
            "'validation_accuracy' is not a metric that runs report: the nearest is 'validationaccuracy'",
        ),
        (
            definition(metric={"name": "loss", "goal": "minimise"}),
            "'minimise' is not a goal: the nearest is 'minimize'",
        ),
        (definition(metric={"name": "loss"}), "metric must have a name and a goal, not {'name': 'loss'}"),
        (definition(run_cap=0), "run_cap must be a number of runs, at least 1, not 0"),
        (definition(name="../x"), "name '../x' must do as a folder"),
        (definition(name="Single"), "cannot have the name 'Single', whose folder keeps other runs"),
        (definition(name="evaluation"), "cannot have the name 'evaluation', whose folder keeps other runs"),
        (definition(parameters={}), "parameters must name at least one parameter"),
        (definition(parameters={X: 3}), "parameter 'learning_rate' must have value, values, or min and max, not 3"),
        (definition(parameters={X: {"min": 1}}), "parameter 'learning_rate' must have value, values, or min and max"),
        (
            definition(parameters={X: {"min": 1, "max": 2, "q": 1}}),
            "'q' is not a supported key of parameter 'learning_rate'",
        ),
        (
            definition(parameters={X: {"distribution": "constant", "min": 1, "max": 2}}),
            "parameter 'learning_rate' must have value, values, or min and max of a range, not {'distribution'",
        ),
        (
            definition(parameters={X: {"values": [1, 2], "probabilities": [0.9, 0.1]}}),
            "'probabilities' is not a supported key of parameter 'learning_rate'",
        ),
        (
            definition(parameters={X: {"parameters": {"a": {"value": 1}}, "value": 1}}),
            "'parameters' is not a supported key of parameter 'learning_rate'",
        ),
        (
            definition(parameters={X: {"distribution": "normal", "mu": 0, "sigma": 1}}),
            "'normal' is not a supported distribution (parameter 'learning_rate')",
        ),
        (
            definition(parameters={X: {"distribution": "q_log_uniform_values", "min": 1, "max": 2}}),
            "'q_log_uniform_values' is not a supported distribution (parameter 'learning_rate')",
        ),
        (definition(parameters={X: {"values": []}}), "values of parameter 'learning_rate' must be a list of at least"),
        (definition(parameters={X: {"values": [[1], 2]}}), "must be numbers, strings, booleans or null"),
        (definition(parameters={X: {"values": ["ADAM", "adam"]}}), "name the same value twice: ['ADAM', 'adam']"),
        (definition(parameters={X: {"min": 2, "max": 1}}), "min and max of parameter 'learning_rate' make no range"),
        (definition(parameters={X: {"min": "a", "max": 1}}), "must be numbers, not 'a' and 1"),
        (
            definition(parameters={X: {"distribution": "log_uniform_values", "min": 0, "max": 1}}),
            "min and max of parameter 'learning_rate' make no range",
        ),
        (
            definition(parameters={X: {"distribution": "q_uniform", "min": 1, "max": 10, "q": 3}}),
            "q_uniform (parameter 'learning_rate') draws its end points half as often as the others: list its values",
        ),
        (
            definition(parameters={X: {"distribution": "int_uniform", "min": 0.5, "max": 2}}),
            "min and max of parameter 'learning_rate' must be whole numbers for int_uniform, not 0.5 and 2",
        ),
        (
            definition("grid", {X: {"min": 0.1, "max": 1}}),
            "method grid needs values to visit, but parameter 'learning_rate' is continuous",
        ),
        (Path("nowhere.yaml"), "nowhere.yaml cannot be read: [Errno 2] No such file or directory"),
    ],
)
def test_what_it_cannot_mean_is_refused_in_one_sentence(source, sentence):
    with pytest.raises(sweep.SweepError) as refusal:
        sweep.read(source)
    assert sentence in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("text", ["a: [1,", "- 1\n- 2", "", "a: \t1\n\tb: 2"])
def test_a_file_that_is_no_sweep_is_refused_by_name(text, tmp_path):
    (tmp_path / "bad.yaml").write_text(text)
    with pytest.raises(sweep.SweepError, match=r"bad\.yaml") as refusal:
        sweep.read(tmp_path / "bad.yaml")
    assert "\n" not in str(refusal.value)
