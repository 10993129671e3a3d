"""Sweep files: what they may say means here what it means on W&B, and anything else is refused in one sentence."""

import datetime
import json
from pathlib import Path

import numpy as np
import optuna
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from scipy import stats

from lab.execution.notebook import TRAINING, Notebook
from lab.search import command, sweep
from lab.search.reading import load
from lab.search.sweepfile import SweepError, read
from sweep_kit import METRIC, definition

X = "learning_rate"


def test_the_sweep_of_the_design_in_three_methods():
    files = Path(sweep.__file__).parents[2] / "sweeps"
    for method in ("random", "bayes", "grid"):
        meant = read(files / f"{method}.yaml")
        assert (meant.name, meant.method, meant.metric, meant.goal) == (method, method, *METRIC.values())
        assert {key: parameter.choices for key, parameter in meant.space.items()} == {
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
        assert meant.size == 9720
    assert read(files / "random.yaml").run_cap == 24


def test_the_sweep_files_fit_the_training_notebook():
    files = Path(sweep.__file__).parents[2] / "sweeps"
    book = Notebook(TRAINING)
    for file in files.glob("*.yaml"):
        book.check({key: parameter.choices for key, parameter in read(file).space.items()})


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
    parameter = read(definition(parameters={"learning_rate": entry})).space["learning_rate"]
    assert parameter.distribution == expected


def test_yaml_json_and_dictionary_say_the_same(tmp_path):
    (tmp_path / "one.json").write_text(json.dumps(definition()))
    (tmp_path / "two.yaml").write_text(json.dumps(definition()).replace("\t", " "))
    assert read(tmp_path / "one.json") == read(tmp_path / "two.yaml") == read(definition())


def test_a_file_without_a_name_lends_its_own(tmp_path):
    (tmp_path / "mine.yaml").write_text("method: grid\nparameters: {layers: {values: [1, 2]}}")
    meant = read(tmp_path / "mine.yaml")
    assert (meant.name, meant.metric, meant.goal) == ("mine", "validationaccuracy", "maximize")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"metod": "grid"}, "'metod' is not a key of a sweep: the nearest is 'method'"),
        ({"seed": 22}, "seed is not a key of a sweep: the search's is --seed, the networks' a parameter 'seed'"),
        ({"count": 9}, "count is not a key of a sweep: say run_cap, or --count on the command line"),
        ({"metrics": [{"name": "loss"}]}, "a scheduler of one's own works on W&B only"),
        ({3: "grid"}, "the key 3 is no text: put it in quotes"),
        ({True: "grid"}, "the key True is no text: put yes, no, on or off in quotes"),
        ({"method": "baies"}, "'baies' is not a method: the nearest is 'bayes'"),
        ({"method": None}, "a sweep needs a method: choose from random, bayes, grid"),
        ({"method": "custom"}, "a scheduler of one's own works on W&B only: take method random, bayes or grid"),
        ({"metric": {"name": "loss", "goal": "minimise"}}, "'minimise' is not a goal: the nearest is 'minimize'"),
        ({"metric": {"goal": "minimize"}}, "metric must have a name, and may have a goal, not {'goal': 'minimize'}"),
        ({"metric": {"name": "loss", "target": "low"}}, "target of the metric must be a number, not 'low'"),
        ({"metric": {"name": "loss", "impute": "mean"}}, "'mean' is not a way to impute: choose from worst, best"),
        (
            {"method": "bayes", "metric": {"name": "loss", "impute": "latest"}},
            "impute: latest is not implemented for bayes: leave it out, which is worst",
        ),
        ({"method": "bayes", "metric": None}, "method bayes needs a metric: name one, with its goal"),
        (
            {"early_terminate": {"type": "hyperband", "min_iter": 3}, "metric": None},
            "early_terminate needs a metric: name one, with its goal",
        ),
        ({"run_cap": 0}, "run_cap must be a whole number, at least 1, not 0"),
        ({"run_cap": True}, "run_cap must be a whole number, at least 1, not True"),
        ({"seeds": 10**9}, "seeds must be a whole number, from 1 to 1000, not 1000000000"),
        ({"project": 2024}, "project must be text, not 2024: put it in quotes"),
        ({"description": datetime.date(2024, 5, 1)}, "description is a date (datetime.date(2024, 5, 1)), which a"),
        ({"name": "Single"}, "cannot have the name 'Single', whose folder keeps other runs"),
        ({"name": "evaluation"}, "cannot have the name 'evaluation', whose folder keeps other runs"),
        ({"name": "half \ud800"}, "name holds half a character ('half \\ud800'): write it whole"),
        ({"command": "python"}, "command must be a list of words, not 'python'"),
        ({"controller": {"type": "mine"}}, "controller must be of type cloud or local, not {'type': 'mine'}"),
        ({"parameters": {}}, "parameters must name at least one parameter and its values, not {}"),
        ({"parameters": {X: 3}}, "parameter 'learning_rate' must have value, values, or min and max, not 3"),
        ({"parameters": {"learning rate": {"value": 1}}}, "'learning rate' cannot be the name of a parameter: W&B's"),
        (
            {"parameters": {"a": {"parameters": {}}}},
            "parameters of 'a' must name at least one parameter",
        ),
        (
            {"parameters": {"a": {"parameters": {"b": {"value": 1}}}, "a.b": {"value": 1}}},
            "two parameters are 'a.b', one with a dot in its name and one nested: rename one",
        ),
    ],
)
def test_what_a_file_cannot_mean_is_refused_in_one_sentence(changes, sentence):
    refused(definition() | changes, sentence)


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ({"min": 1}, "parameter 'learning_rate' must have value, values, or min and max, not {'min': 1}"),
        ({"min": 1, "max": 2, "q": 1}, "parameter 'learning_rate' has 'q', but int_uniform knows min and max alone"),
        ({"mu": 0, "sigma": 1}, "parameter 'learning_rate' has {'mu': 0, 'sigma': 1}, but no distribution: name one"),
        ({"distribution": "constant", "min": 1}, "parameter 'learning_rate' has 'min', but constant knows value alone"),
        ({"distribution": "gauss", "mu": 0}, "'gauss' is not a distribution (parameter 'learning_rate'): choose from"),
        ({"distribution": "uniform", "min": 0}, "parameter 'learning_rate' is uniform, which needs max"),
        ({"parameters": {"a": {"value": 1}}, "value": 1}, "has 'parameters', but constant knows value alone"),
        ({"values": []}, "values of parameter 'learning_rate' must be a list of at least one, not []"),
        ({"values": [0.1, float("nan")]}, "learning_rate.values[1] is nan, which no record of a run can hold"),
        ({"value": 10**400}, "parameters.learning_rate.value has about 400 digits: a number has at most 308"),
        ({"value": {1, 2}}, "parameters.learning_rate.value is a set ({1, 2}), which a sweep cannot hold"),
        ({"value": b"1"}, "parameters.learning_rate.value is !!binary (b'1'), which a sweep cannot hold"),
        ({"min": 2, "max": 1}, "min 2 of parameter 'learning_rate' is not less than max 1"),
        ({"min": 2, "max": 2}, "min 2 of parameter 'learning_rate' is not less than max 2: take value: 2"),
        ({"min": "a", "max": 1}, "min of parameter 'learning_rate' must be a number, not 'a'"),
        ({"min": -1e308, "max": 1e308}, "parameter 'learning_rate' can become larger than numbers are"),
        ({"min": 0, "max": 2**60}, "min and max of parameter 'learning_rate' must lie within 2^53 of 0"),
        ({"distribution": "log_uniform_values", "min": 0, "max": 1}, "must be above 0 for log_uniform_values, not 0"),
        (
            {"distribution": "log_uniform", "min": 0.0001, "max": 0.1},
            "log_uniform takes exponents of e, and min 0.0001 and max 0.1 look like the values themselves: take "
            "log_uniform_values",
        ),
        ({"distribution": "inv_log_uniform", "min": 1, "max": 5}, "take inv_log_uniform_values"),
        ({"distribution": "q_log_uniform", "min": 16, "max": 256}, "take q_log_uniform_values"),
        ({"distribution": "log_uniform", "min": -1000, "max": -999}, "make no range of numbers"),
        ({"distribution": "log_uniform", "min": -1, "max": 1000}, "can become larger than numbers are"),
        ({"distribution": "normal", "sigma": 0}, "sigma of parameter 'learning_rate' must be above 0, not 0"),
        ({"distribution": "log_normal", "sigma": 100}, "parameter 'learning_rate' can become larger than numbers are"),
        ({"distribution": "q_uniform", "min": 0, "max": 1, "q": 1e-300}, "is too small for numbers from 0 to 1"),
        (
            {"distribution": "int_uniform", "min": 0.5, "max": 2},
            "must be whole numbers for int_uniform, not 0.5",
        ),
        ({"values": [1, 2], "probabilities": [1]}, "parameter 'learning_rate' has 2 values, but 1 probabilities"),
        ({"values": [1, 2], "probabilities": [0.5, 0.6]}, "of parameter 'learning_rate' must sum to 1, not to 1.1"),
        ({"values": [1, 2], "probabilities": [1.5, -0.5]}, "must be a list of numbers from 0 on, not [1.5, -0.5]"),
    ],
)
def test_what_a_parameter_cannot_mean_is_refused_in_one_sentence(entry, sentence):
    refused(definition(parameters={X: entry}), sentence)


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ({"min": 0.1, "max": 1}, "method grid needs values to visit, but parameter 'learning_rate' is uniform: list"),
        ({"values": [1, 2], "probabilities": [0.5, 0.5]}, "is categorical_w_probabilities: list its values"),
        ({"distribution": "normal"}, "parameter 'learning_rate' is normal: list values, or take q_uniform"),
    ],
)
def test_a_grid_needs_what_it_can_visit(entry, sentence):
    refused(definition("grid", {X: entry}), sentence)


def refused(source, sentence):
    with pytest.raises(SweepError) as refusal:
        read(source)
    assert sentence in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert len(str(refusal.value)) < 500
    return str(refusal.value)


# --- what it takes as W&B does ---


def test_a_metric_without_a_goal_is_minimized_and_a_target_ends_the_sweep():
    meant = read(definition(metric={"name": "my/loss", "target": 0.1}))
    assert (meant.metric, meant.goal, meant.target) == ("my/loss", "minimize", 0.1)
    assert meant.said == ("metric 'my/loss' has no goal: minimized, as on W&B",)
    assert [meant.reached(value) for value in (0.2, 0.1, 0.05, None)] == [False, True, True, False]
    up = read(definition(metric={"name": "x", "goal": "maximize", "target": 1}))
    assert [up.reached(value) for value in (0.9, 1.0, 2)] == [False, True, True]
    assert not read(definition()).reached(1)


def test_what_only_wandb_uses_is_said_in_one_line():
    meant = read(definition(entity="me", job="train", controller={"type": "local"}, program="x.py", apiVersion="1"))
    assert meant.said == ("entity, job, apiVersion, controller: for W&B only",)


def test_values_may_be_anything_json_can_say_and_each_counts_once():
    values = [[64, 64], [128], {"a": 1}, True, "true", 1, 1.0, "1", None, "relu", "ReLU", [64, 64]]
    meant = read(definition(parameters={X: {"values": values}}))
    assert meant.space[X].choices == ([64, 64], [128], {"a": 1}, True, "true", 1, "1", None, "relu")
    assert meant.said == (
        "learning_rate: 1.0 twice; it runs once",
        "learning_rate: 'ReLU' and 'relu', which are one; it runs once",
        "learning_rate: [64, 64] twice; it runs once",
    )


def test_a_dot_in_a_name_nests_nothing():
    parameters = {"model.width": {"value": 1}, "model": {"parameters": {"depth": {"values": [2, 3]}}}}
    meant = read(definition(parameters=parameters))
    chosen = {"model.width": 1, "model.depth": 3}
    assert meant.configuration(chosen) == {"model.width": 1, "model": {"depth": 3}}


@pytest.mark.parametrize(
    ("entry", "choices"),
    [
        ({"distribution": "q_uniform", "min": 0, "max": 10, "q": 3}, [0, 3, 6, 9]),
        ({"distribution": "q_uniform", "min": 1, "max": 5}, [1, 2, 3, 4]),  # without max, as by W&B
        ({"distribution": "q_uniform", "min": 0.5, "max": 1.5, "q": 0.25}, [0.5, 0.75, 1.0, 1.25]),
        ({"min": 2, "max": 4}, [2, 3, 4]),
        ({"value": [1, 2]}, [[1, 2]]),
    ],
)
def test_what_a_grid_visits(entry, choices):
    assert list(read(definition("grid", {X: entry})).space[X].choices) == choices


# Quantiles at 0.001, 0.25, 0.5 and 0.9, as the code of github.com/wandb/sweeps gave them in August 2026.
QUANTILES = [
    ({"distribution": "q_uniform", "min": 0, "max": 10, "q": 3}, [0, 3, 6, 9]),
    ({"distribution": "q_uniform", "min": 0.0, "max": 1.0, "q": 0.25}, [0.0, 0.25, 0.5, 1.0]),
    ({"distribution": "q_log_uniform_values", "min": 16, "max": 256, "q": 8}, [16, 32, 64, 192]),
    ({"distribution": "q_log_uniform", "min": -1, "max": 3, "q": 2}, [0, 0, 2, 14]),
    ({"distribution": "normal", "mu": 2, "sigma": 0.5}, [0.454883846, 1.662755125, 2.0, 2.640775783]),
    ({"distribution": "normal"}, [-3.090232306, -0.67448975, 0.0, 1.281551566]),
    ({"distribution": "q_normal", "mu": 10, "sigma": 4, "q": 5}, [0, 5, 10, 15]),
    ({"distribution": "log_normal", "mu": -2, "sigma": 0.5}, [0.0288652695, 0.0965933988, 0.135335283, 0.256859967]),
    ({"distribution": "q_log_normal", "mu": 3, "sigma": 1, "q": 4}, [0, 12, 20, 72]),
    ({"distribution": "beta", "a": 2, "b": 5}, [0.00825549279, 0.161162917, 0.264449983, 0.510316307]),
    ({"distribution": "q_beta", "a": 2, "b": 5, "q": 0.1}, [0.0, 0.2, 0.30000000000000004, 0.5]),
    ({"values": ["a", "b", "c"], "probabilities": [0.2, 0.5, 0.3]}, ["a", "b", "b", "c"]),
]


@pytest.mark.parametrize(("entry", "quantiles"), QUANTILES)
def test_quantiles_are_those_of_wandb(entry, quantiles):
    parameter = read(definition(parameters={X: entry})).space[X]
    drawn = [parameter.value(u) for u in (0.001, 0.25, 0.5, 0.9)]
    assert drawn == (quantiles if isinstance(quantiles[0], str) else pytest.approx(quantiles, rel=1e-8))
    assert all(type(value) is int for value in drawn) == all(type(value) is int for value in quantiles)


# What is searched natively, by the distribution function that W&B's documentation gives.
NATIVE = [
    ({"distribution": "uniform", "min": -1, "max": 3}, lambda x: (x + 1) / 4),
    ({"distribution": "log_uniform_values", "min": 1e-4, "max": 0.1}, lambda x: np.log10(x * 1e4) / 3),
    ({"distribution": "inv_log_uniform_values", "min": 1e-4, "max": 0.1}, lambda x: 1 - np.log10(0.1 / x) / 3),
    ({"distribution": "log_uniform", "min": -5, "max": -1}, lambda x: (np.log(x) + 5) / 4),
    ({"distribution": "inv_log_uniform", "min": -1, "max": 5}, lambda x: 1 - (np.log(1 / x) + 1) / 6),
    ({"distribution": "normal", "mu": 2, "sigma": 0.5}, stats.norm(2, 0.5).cdf),
    ({"distribution": "log_normal", "mu": -2, "sigma": 0.5}, lambda x: stats.norm(-2, 0.5).cdf(np.log(x))),
    ({"distribution": "beta", "a": 1, "b": 2}, lambda x: 1 - (1 - x) ** 2),
]


@pytest.mark.parametrize(("entry", "cdf"), NATIVE)
@pytest.mark.parametrize("sampler", [optuna.samplers.RandomSampler, optuna.samplers.TPESampler])
def test_draws_have_the_distribution_of_wandb(entry, cdf, sampler):
    parameter = read(definition(parameters={X: entry})).space[X]
    chosen = optuna.create_study(sampler=sampler(seed=0))  # TPE, too, begins at random, and here it never learns
    draws = [chosen.ask({X: parameter.distribution}).params[X] for _ in range(400)]
    assert stats.kstest([parameter.value(u) for u in draws], cdf).pvalue > 0.01


def test_probabilities_are_kept_with_a_value_that_is_there_twice_and_without_those_of_none():
    entry = {"values": ["a", "b", "A", "c"], "probabilities": [0.25, 0.5, 0.25, 0]}
    parameter = read(definition(parameters={X: entry})).space[X]
    draws = [parameter.value((k + 0.5) / 1000) for k in range(1000)]
    assert (draws.count("a"), draws.count("b")) == (500, 500)
    assert parameter.choices == ("a", "b")


# --- damage and traps ---


@pytest.mark.parametrize("text", ["a: [1,", "- 1\n- 2", "", "a: \t1\n\tb: 2", "a: !!int x", "a: !!timestamp x", "\0"])
def test_a_file_that_is_no_sweep_is_refused_by_name(text, tmp_path):
    (tmp_path / "bad.yaml").write_text(text)
    refused(tmp_path / "bad.yaml", "bad.yaml")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("description: 2024-05-01", "put it in quotes"),
        ("name: !!binary aGVsbG8=", "name is !!binary"),
        ("parameters: {x: {values: !!set {a, b}}}", "parameters.x.values is a set"),
        ("parameters: {x: {values: !!omap [a: 1]}}", "parameters.x.values[0] is ordered pairs"),
        ("parameters: {on: {value: 1}}", "the key True in parameters is no text"),
        ("parameters: {1: {value: 1}}", "the key 1 in parameters is no text: put it in quotes"),
        ("x: &a [*a]", "'a' holds itself"),
        ("x: " + "[" * 20_000 + "]" * 20_000, "is nested deeper than 30 levels"),
        ("x: " + "9" * 5000, "cannot be read: Exceeds the limit"),
        ("x: " + "9" * 400, "x has about 400 digits"),
        ("x: " + "y" * 200_000, "is no sweep file: it is longer than 100,000 bytes"),
        ("a: &a [" + "x," * 1000 + "]\nb: &b [" + "*a," * 1000 + "]\nc: [" + "*b," * 1000 + "]", "is too long"),
        ("a: &a {" + ",".join(f"k{k}: 1" for k in range(999)) + "}\nb: {<<: [" + "*a," * 9999 + "]}", "is too long"),
        ("a: &a " + "x" * 50_000 + "\nb: [" + "*a," * 10_000 + "]", "is too long"),
    ],
)
def test_a_trap_costs_one_sentence(text, sentence, tmp_path):
    (tmp_path / "trap.yaml").write_text(text)
    refused(tmp_path / "trap.yaml", sentence)


@pytest.mark.parametrize("text", ["[" * 90_000, '{"a": "\\ud800"}', '{"a": NaN}', "{", "[1]"])
def test_traps_in_json_too(text, tmp_path):
    (tmp_path / "trap.json").write_text(text)
    refused(tmp_path / "trap.json", "")


@pytest.mark.parametrize(
    ("name", "text", "key", "first", "again"),
    [
        ("a.yaml", "method: grid\nname: x\nmethod: bayes", "method", 1, 3),
        ("a.yaml", "parameters:\n  rate: {value: 1}\n  'rate':\n    value: 2", "rate", 2, 3),
        ("a.yaml", "a: {x: 1, y: 2, x: 3}", "x", 1, 1),
        ("a.yaml", "a: &a {b: 1}\nc: {<<: *a, d: 1,\n d: 2}", "d", 2, 3),
        ("a.json", '{"a": [{"b": 1}, "b"],\n "c": "}{",\n "b": {}, "\\u0061": 2}', "a", 1, 3),
        ("a.json", '{"p": {"q\\"": "\\"", "r": "s",\n\t"r"\n: 2}}', "r", 1, 2),
    ],
)
def test_a_key_that_is_there_twice_is_named_with_its_lines_and_the_last_counts(name, text, key, first, again, tmp_path):
    (tmp_path / name).write_text(text)
    said = []
    content = load(tmp_path / name, said.append)
    expected = json.loads(text) if name == "a.json" else yaml.safe_load(text)  # what W&B's client does
    assert content == expected
    assert said == [f"{key!r} stands in line {first} and again in line {again}: the last counts, as on W&B"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.json", '{"a": {"b": 1}, "c": [{"b": 1}, {"b": "b"}], "b": "\\"b\\": "}'),
        ("a.yaml", "a: {b: 1}\nc: [{b: 1}, {b: b}]\nb: 'b: 1'"),
        ("a.yaml", "x: {y: {z: &z {<<: &a {b: 1}, b: 2}}}\nc: {<<: *z, b: 3}\nd: {<<: *a, <<: *z}\ne: [*z, *z]"),
    ],
)
def test_the_same_key_may_stand_in_several_mappings(name, text, tmp_path):
    (tmp_path / name).write_text(text)
    said = []
    assert load(tmp_path / name, said.append)["c"]
    assert said == []


def test_check_says_which_key_is_there_twice(tmp_path, capsys):
    (tmp_path / "twice.yaml").write_text("method: bayes\nmethod: grid\nparameters: {layers: {value: 1}}")
    assert command.main(["check", str(tmp_path / "twice.yaml")]) == 0
    said = capsys.readouterr().out
    assert "'method' stands in line 1 and again in line 2: the last counts" in said
    assert "grid" in said


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"command": ["--key", "m4rked-key"]}, "command[1] holds the secret that the environment has as SERVICE_TOKEN"),
        ({"description": "with m4rked-password"}, "description holds the secret that the environment has as DATABASE"),
        ({"parameters": {"m4rked-key": {"value": 1}}}, "parameters.*** holds the secret that the environment has as"),
        ({"parameters": {"x": {"value": "pg://me:pass@host/db"}}}, "parameters.x.value holds a password or a key"),
        ({"command": ["--api-key=abc"]}, "command[0] holds a password or a key"),
        ({"parameters": {"wandb_api_key": {"value": "abc"}}}, "parameters.wandb_api_key is called a secret"),
    ],
)
def test_what_would_put_a_secret_on_record_is_refused_and_not_repeated(changes, sentence, monkeypatch):
    monkeypatch.setenv("SERVICE_TOKEN", "m4rked-key")
    monkeypatch.setenv("DATABASE", "postgresql://me:m4rked-password@host")
    said = refused(definition() | changes, sentence)
    assert "let the notebook read it from the environment" in said
    assert not any(secret in said for secret in ("m4rked", "pass@", "abc"))


def test_what_only_sounds_secret_is_taken(monkeypatch):
    monkeypatch.setenv("GIT_AUTHOR_NAME", "maintainers")
    parameters = {"secretion": {"value": "keyword: token"}, "author": {"value": "maintainers"}}
    parameters["address"] = {"value": "https://host/path@1:2"}
    assert read(definition("grid", parameters, command=["--api-key=${envvar:API_KEY}", "python"]))


def test_what_is_no_file_is_not_waited_for(tmp_path):
    refused(tmp_path, "it is not a file")
    refused(tmp_path / "nowhere.yaml", "nowhere.yaml cannot be read: [Errno 2] No such file or directory")


TEXT = """
    method grid random bayes metric name goal maximize parameters x values value min max distribution q normal beta
    q_uniform probabilities early_terminate s eta type hyperband min_iter max_iter strict run_cap seeds 1e-5 ../..
"""
WORDS = st.sampled_from([*TEXT.split(), "", "\ud800"])
LEAVES = WORDS | st.none() | st.booleans() | st.integers() | st.floats() | st.dates() | st.binary(max_size=3)
KEYS = WORDS | st.integers()
ANYTHING = st.recursive(LEAVES, lambda x: st.lists(x, max_size=4) | st.dictionaries(KEYS, x, max_size=5))


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(WORDS, ANYTHING, max_size=6), ANYTHING)
def test_whatever_a_file_holds_it_is_a_sweep_or_one_sentence(content, entry):
    for source in (content, definition() | content, definition(parameters={"x": entry})):
        sentence = ""
        try:
            read(source)
        except SweepError as error:
            sentence = str(error)
        assert "\n" not in sentence
        assert len(sentence) < 500


def test_what_only_bayes_imputes_is_said_to_have_no_effect_elsewhere():
    plan = {"method": "grid", "metric": {"name": "loss", "goal": "minimize", "impute": "latest"}}
    meant = read(plan | {"parameters": {"layers": {"values": [2, 3]}}})
    assert meant.said == ("impute has no effect with method grid, as on W&B",)
