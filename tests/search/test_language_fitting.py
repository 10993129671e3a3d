"""Other people's words: what is taken for what, what is named as lacking, and what real files mean here."""

import json
from pathlib import Path

import nbformat
import pytest
import yaml

from lab.execution.notebook import TRAINING, Notebook
from lab.search import command, sweep, synonyms
from lab.search.check import check
from lab.search.fitting import Fit
from lab.search.results import trials_of
from lab.search.space import points
from lab.search.sweepfile import METRICS, SweepError, read
from nn_core import NeuralNetwork
from sweep_kit import SPACE, Fake, definition, run

pytestmark = pytest.mark.usefixtures("place")

CASES = Path(__file__).parent / "cases"  # from public repositories, stripped of names; course-*: of this very exercise
LACKING = {  # a word of each sentence on what 03_train has not; of files that are not here, nothing
    "course-01": ["dataset 'mnist'"],
    "course-06": ["'val_f1' is not a metric"],
    "course-11": ["dataset 'mnist'"],
    "course-16": ["dataset 'mnist'"],
    "course-18": ["dataset 'mnist'", "'model_save_path', 'config_save_path', 'no_sweep_yaml' are no parameters"],
    "other-33": ["'tau' is not a parameter", "'global.accuracy' is not a metric"],
    "other-38": ["'decay' is not a parameter"],
    "other-41": ["'vocab_source', 'vocab_target', 'embedding_size'", "'bleu' is not a metric"],
    "other-43": ["'model.backbone', 'model.decoder_channels'", "'val_dice' is not a metric"],
    "other-46": ["'architecture', 'n_good_detection', 'len_trials'"],
    "other-53": ["'over_sample_rate', 'sample'", "'best_val F1' is not a metric"],
    "other-56": ["'report-interval', 'net-name'"],
    "other-58": ["'weighted_sample', 'model_type'"],
    "other-61": ["'bootstrap', 'max_depth'"],
    "other-68": ["'learning_starts', 'tau', 'gamma', 'net_arch'", "'rollout/ep_rew_mean' is not a metric"],
    "other-71": ["'use_lograte', 'masking_ratio', 'n_heads', 'mult'", "'eval_loss' is not a metric"],
    "other-73": ["'dropout_p_value', 'use_grad_clipping', 'max_grad_norm'"],
}


@pytest.fixture(scope="module")
def training():
    return Notebook(TRAINING)


def test_every_case_is_there():
    assert len(list(CASES.glob("course-*.yaml"))) == 13
    assert len(list(CASES.glob("other-*.yaml"))) == 15


@pytest.mark.parametrize("case", sorted(path.stem for path in CASES.glob("*.yaml")))
def test_a_real_file_is_read_as_it_stands_and_checked(case, capsys):
    path = CASES / f"{case}.yaml"
    assert read(path).name == case
    if case == "course-13":  # the only one that contradicts itself
        with pytest.raises(SweepError, match=r"\[64, 64\] has 2 layers, but layers is \[2, 3\]: leave layers out"):
            check(path)
        return
    code = check(path)
    lines = capsys.readouterr().out.splitlines()
    lacking = [line for line in lines if line.startswith("lacking: ")]
    assert code == (2 if case in LACKING else 0)
    assert len(lacking) == len(LACKING.get(case, ()))
    assert all(word in line for word, line in zip(LACKING.get(case, ()), lacking, strict=True))
    assert all(len(line) < 500 for line in lines)


LEFT_OUT = {  # what the sentences on a file of the course ask to be left out
    "course-01": ["dataset"],
    "course-11": ["dataset"],
    "course-16": ["dataset"],
    "course-13": ["dataset", "num_layers"],
    "course-18": ["dataset", "model_save_path", "config_save_path", "no_sweep_yaml"],
}


@pytest.mark.kernel
@pytest.mark.parametrize("case", sorted(path.stem for path in CASES.glob("course-*.yaml")))
def test_a_file_of_the_course_runs(case):
    """Two configurations for an epoch on a slice, under its own names; without what the network has not."""
    plan = yaml.safe_load((CASES / f"{case}.yaml").read_text())
    if case == "course-06":
        plan["metric"]["name"] = "val_accuracy"
    own = {name: entry for name, entry in plan["parameters"].items() if name not in LEFT_OUT.get(case, ())}
    short = {name: {"value": 1} for name in {"epochs", "max_iter"} & own.keys() or {"epochs"}}
    plan["parameters"] = own | short | {"limit": {"value": 500}}
    table = sweep.run(plan | {"name": "trial"}, 2)
    assert list(table.status) == ["finished"] * 2
    assert table[METRICS[trials_of("trial")[0]["metric"]]].notna().all()


def test_what_is_taken_for_what_is_said_and_part_of_the_definition(training):
    parameters = {
        "epochs": {"values": [1, 2]},
        "Weight-Init": {"values": ["Glorot", "he_normal"]},
        "optimizer": {"values": ["momentum", "mgd", "Adam", "ADAM"]},
        "hidden_size": {"values": ["64", "128 64", 32]},
        "loss_fn": {"value": "mse"},
        "batch_size": {"values": ["16", 32.0]},
        "dataset": {"value": "Fashion-MNIST"},
        "wandb_project": {"value": "mine"},
    }
    fit = Fit(read(definition(parameters=parameters, metric={"name": "val/acc", "goal": "maximize"})), training)
    assert not fit.lacks
    assert {name: parameter.choices for name, parameter in fit.sweep.space.items()} == {
        "max_epochs": (1, 2),
        "initializer": ("xavier", "he"),
        "optimizer": ("mgd", "Adam"),
        "num_hidden_neurons": (64, [128, 64], 32),
        "loss": ("squared_error",),
        "batch_size": (16, 32),
    }
    assert fit.sweep.metric == "validationaccuracy"
    assert fit.taken == fit.sweep.definition["taken"]
    assert fit.taken == [
        "epochs is taken for max_epochs",
        "Weight-Init is taken for initializer",
        "initializer 'Glorot' is taken for 'xavier'",
        "initializer 'he_normal' is taken for 'he'",
        "optimizer 'momentum' is taken for 'mgd'",
        "hidden_size is taken for num_hidden_neurons",
        "num_hidden_neurons '64' is taken for 64",
        "num_hidden_neurons '128 64' is taken for [128, 64]",
        "loss_fn is taken for loss",
        "loss 'mse' is taken for 'squared_error'",
        "batch_size '16' is taken for 16",
        "batch_size 32.0 is taken for 32",
        "metric val/acc is taken for validationaccuracy",
    ]
    others = [line for line in fit.said if line not in fit.taken]
    assert others == [
        "optimizer: 'ADAM' and 'Adam', which are one; it runs once",
        "optimizer: 'mgd' twice; it runs once",
        "dataset: Fashion-MNIST is what 03_train.ipynb learns",
        "wandb_project: for W&B only",
    ]


def test_our_own_words_are_taken_for_nothing(training):
    for file in (TRAINING.parents[1] / "sweeps").glob("*.yaml"):
        assert not Fit(read(file), training).said


def test_the_table_of_synonyms_is_about_what_there_is(training):
    assert synonyms.PARAMETERS.keys() <= training.types.keys()
    assert synonyms.METRICS.keys() <= METRICS.keys()
    for parameter, table in synonyms.VALUES.items():
        assert table.keys() <= training.names[parameter].keys()
    for table in (synonyms.PARAMETERS, synonyms.METRICS, *synonyms.VALUES.values()):
        words = [synonyms.bare(word) for others in table.values() for word in others.split()]
        assert len(words) == len(set(words))  # no word means two things
        assert not {*words} & {synonyms.bare(ours) for ours in table} - {"momentum"}


def test_every_alias_of_the_network_is_one_configuration(training):
    tables = {"optimizer": NeuralNetwork.OPTIMIZERS, "activation": NeuralNetwork.ACTIVATIONS}
    for parameter, table in tables.items():
        fit = Fit(read(definition(parameters={parameter: {"values": [*table, *map(str.upper, table)]}})), training)
        assert len(fit.sweep.space[parameter].choices) == len(set(map(id, table.values())))


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"hidden_size": {"value": [64, 0]}}, r"num_hidden_neurons \[64, 0\] must hold whole numbers from 1 on"),
        ({"hidden_size": {"values": [[], 3]}}, r"num_hidden_neurons \[\] must hold whole numbers from 1 on"),
        (
            {"num_hidden_neurons": {"values": [[64, 32], 64]}, "layers": {"values": [2, 3]}},
            r"num_hidden_neurons \[64, 32\] has 2 layers, but layers is \[2, 3\]: leave layers out",
        ),
        ({"validation_split": {"values": [0, 0.1]}}, "needs validation images, but validation_fraction can be 0"),
    ],
)
def test_what_contradicts_itself_is_refused(parameters, sentence, training):
    with pytest.raises(SweepError, match=sentence):
        Fit(read(definition(parameters=parameters)), training)


@pytest.mark.parametrize(
    ("first", "second", "kept"), [("epochs", "max_epochs", 2), ("max_epochs", "epochs", 1), ("epochs", "n_epochs", 1)]
)
def test_two_words_for_one_parameter_are_named_in_a_file_that_is_read(first, second, kept, tmp_path, training, capsys):
    plan = definition(parameters={first: {"value": 1}, second: {"value": 2}})
    fit = Fit(read(plan), training)
    (lacking,) = fit.lacks
    assert lacking.endswith(" both mean max_epochs: leave one of them out")
    assert repr(first) in lacking
    assert repr(second) in lacking
    assert fit.sweep.space["max_epochs"].choices == (kept,)
    (tmp_path / "two.json").write_text(json.dumps(plan))
    assert command.main(["check", str(tmp_path / "two.json")]) == 2
    assert command.main(["run", str(tmp_path / "two.json"), "--count", "1"]) == 1
    assert capsys.readouterr().err == f"{lacking}\n"


MOMENTUM = {"optimizer": {"values": ["ADAM", "sgd", "momentum"]}, "mom": {"values": [0.5, 0.9]}}


def test_a_setting_is_left_out_with_an_optimizer_that_lacks_it(training):
    fit = Fit(read(definition("grid", MOMENTUM | {"beta_2": {"values": [0.99, 0.999]}})), training)
    assert not fit.lacks
    assert fit.taken[-2:] == [
        "beta2 is no setting of mgd, sgd, and left out there",
        "momentum is no setting of adam, sgd, and left out there",
    ]
    configs = [fit.sweep.configuration(point) for point in points(fit.sweep.space)]
    different = {tuple(sorted(config.items())) for config in configs}
    assert len(different) == fit.sweep.size == 2 + 1 + 2
    for config in configs:
        NeuralNetwork(**config)  # which refuses a setting that its optimizer has not
    assert not Fit(
        read(definition("grid", {"momentum": {"value": 0.9}, "optimizer": {"value": "nag"}})), training
    ).taken


def test_what_differs_in_no_setting_that_counts_runs_once(notebook, capsys):
    text = notebook.read_text().replace(
        "import os, sys, time", "import os, sys, time; from nn_core import NeuralNetwork"
    )
    notebook.write_text(text)
    fake = Fake()
    assert len(run(definition("grid", MOMENTUM), notebook=notebook, execute=fake)) == 4
    assert sum("momentum" in parameters for parameters in fake.ran) == 2
    assert "4 of 4 runs" in capsys.readouterr().out
    for method in ("random", "bayes"):
        assert len(run(definition(method, MOMENTUM, name=method), 9, notebook=notebook, execute=Fake())) == 4


def test_what_can_be_one_thing_alone_is_no_parameter_and_lacks_only_what_it_is_not(training):
    parameters = {
        "input_size": {"value": 784},
        "output_size": {"value": "10"},
        "outputActivation": {"value": "Softmax"},
    }
    fit = Fit(read(definition(parameters=parameters | {"layers": {"value": 2}})), training)
    assert (list(fit.sweep.space), fit.lacks) == (["layers"], [])
    assert "outputActivation: Softmax is what 03_train.ipynb has" in fit.said
    other = Fit(read(definition(parameters={"output_activation": {"values": ["softmax", "sigmoid"]}})), training)
    assert other.lacks == ["output_activation 'sigmoid': 03_train.ipynb has softmax alone"]


@pytest.mark.parametrize("switch", ["True", "no", False])
def test_a_switch_is_no_synonym_of_an_amount(switch, training):
    fit = Fit(read(definition(parameters={"regularization": {"values": [switch]}, "wt_decay": {"value": 0}})), training)
    assert list(fit.sweep.space) == ["weight_decay"]
    assert fit.lacks[0].startswith("'regularization' is not a parameter of 03_train.ipynb")


@pytest.mark.parametrize(
    ("metric", "hint"),
    [
        ("test/accuracy", "choose from loss, "),
        ("xloss", "choose from loss, "),
        ("evaluation_accuracy", "the nearest is 'validationa"),
    ],
)
def test_a_metric_of_something_else_gets_no_hint(metric, hint, training):
    fit = Fit(read(definition(metric={"name": metric, "goal": "maximize"})), training)
    (sentence,) = fit.lacks
    assert sentence.startswith(f"{metric!r} is not a metric that 03_train.ipynb reports: {hint}")


def test_layers_follow_from_a_list_of_widths(training):
    plan = definition(parameters={"hidden_layers": {"values": [[64, 32], [8]]}, "seed": {"value": 1}})
    fitted = Fit(read(plan), training).sweep
    chosen = fitted.space["num_hidden_neurons"].chosen([64, 32])
    config = fitted.configuration({"num_hidden_neurons": chosen, "seed": 1})
    assert config == {"num_hidden_neurons": [64, 32], "layers": 2, "seed": 1}
    both = {"num_hidden_neurons": {"values": [[4, 4], 9]}, "layers": {"value": 2}}
    assert not Fit(read(definition(parameters=both)), training).lacks


def test_a_notebook_of_ones_own_keeps_its_words_and_any_metric(notebook):
    source = nbformat.read(notebook, as_version=4)
    source.cells[0].source = source.cells[0].source.replace(
        "max_epochs: int = 2", "epochs: int = 2\nmax_epochs: int = 1"
    )
    nbformat.write(source, notebook)
    plan = definition(parameters={"epochs": {"value": 3}}, metric={"name": "val_f1"})
    fit = Fit(read(plan), Notebook(notebook))
    assert (list(fit.sweep.space), fit.sweep.metric, fit.lacks, fit.taken) == (["epochs"], "val_f1", [], [])


def test_what_is_lacking_ends_a_sweep_before_the_first_run_in_one_sentence(notebook, capsys):
    fake = Fake()
    plan = definition(parameters=SPACE | {"dropout": {"value": 0.1}, "gamma": {"value": 1}})
    with pytest.raises(SweepError, match=r"^'dropout', 'gamma' are no parameters of 03_train\.ipynb$"):
        run(plan, 2, notebook=notebook, execute=fake)
    assert not fake.ran


def test_synonyms_are_said_before_the_first_run_and_stand_in_the_record(notebook, capsys):
    plan = definition(parameters={"hidden_layers": {"values": [2, 3]}})
    run(plan, 2, notebook=notebook, execute=Fake())
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "hidden_layers is taken for layers"
    for record in sweep.records("trial"):
        assert record["config"]["layers"] in (2, 3)
        assert record["taken"] == ["hidden_layers is taken for layers"]


@pytest.mark.parametrize(
    ("line", "ran"),
    [("", ["momentum", "mgd", "adam"]), ("; from nn_core import NeuralNetwork", ["mgd", "adam"])],
)
def test_aliases_run_once_where_the_notebook_knows_the_network(line, ran, notebook):
    notebook.write_text(notebook.read_text().replace("import os, sys, time", f"import os, sys, time{line}"))
    fake = Fake()
    plan = definition("grid", {"optimiser": {"values": ["momentum", "MGD", "mgd", "ADAM", "adam"]}})
    run(plan, notebook=notebook, execute=fake)
    assert sorted(parameters["optimizer"].casefold() for parameters in fake.ran) == sorted(ran)


def test_the_command_line_checks(capsys):
    assert command.main(["check", str(CASES / "course-03.yaml")]) == 0
    assert command.main(["check", str(CASES / "course-06.yaml")]) == 2
    assert command.main(["check", str(CASES / "course-13.yaml")]) == 1
    assert command.main(["check", "nowhere.yaml"]) == 1


def test_a_check_says_what_each_parameter_means(training, tmp_path, capsys):
    (tmp_path / "mine.yaml").write_text(
        """
        {method: bayes, project: p, entity: e, run_cap: 9, seeds: 2,
         metric: {name: validationaccuracy, goal: maximize, target: 0.9},
         early_terminate: {type: hyperband, min_iter: 2},
         parameters: {
           layers: {min: 1, max: 3}, activation: {values: [relu, tanh]}, loss: {value: cross_entropy},
           learning_rate: {distribution: log_uniform_values, min: 0.001, max: 0.1},
           batch_size: {distribution: q_log_uniform_values, min: 16, max: 256, q: 8},
           initializer: {values: [he, xavier], probabilities: [0.25, 0.75]}}}
        """
    )
    assert check(tmp_path / "mine.yaml") == 0
    assert capsys.readouterr().out.splitlines() == [
        "'mine': bayes, maximize 'validationaccuracy', any number of configurations, until 0.9, 9 at most, "
        "2 seeds each, hyperband after epochs 2, 6, 18, 54, ...",
        "  layers: a whole number from 1 to 3",
        "  activation: one of 'relu', 'tanh'",
        "  loss: 'cross_entropy'",
        "  learning_rate: a number from 0.001 to 0.1 on a logarithmic scale",
        "  batch_size: a number drawn from loguniform(16, 256), rounded to multiples of 8",
        "  initializer: one of 'he', 'xavier', with probabilities 0.25, 0.75",
        "entity: for W&B only",
        "used on W&B alone: project, entity",
        f"{tmp_path / 'mine.yaml'} runs as it stands",
    ]
