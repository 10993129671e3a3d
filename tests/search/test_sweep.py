"""Sweeps: what a file may say, which configurations are chosen, and that nothing is lost or run twice."""

import itertools
import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
from jupyter_client.manager import start_new_kernel

from common.files import write_json
from common.words import shown
from lab import tracking
from lab.execution.notebook import Notebook, NotebookError
from lab.search import command, jobs, sweep
from lab.search.choosing import Search
from lab.search.reading import SweepError
from lab.search.results import ranked, result_of, trials_of
from lab.search.storage import File
from lab.search.verdicts import RULES
from sweep_kit import (
    SPACE,
    Fake,
    Killed,
    definition,
    freeze,
    journal,
    kernels,
    run,
    run_configurations,
    wait_for,
)

pytestmark = pytest.mark.usefixtures("place")
X = "learning_rate"


# --- what a notebook takes ---


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        (
            {"learning_rte": {"value": 1}},
            "'learning_rte' is not a parameter of 03_train.ipynb: the nearest is 'learning",
        ),
        ({"layers": {"values": [2, 2.5]}}, "parameter 'layers' of 03_train.ipynb is of type int, not 2.5"),
        ({"layers": {"min": 1.0, "max": 2.0}}, "parameter 'layers' of 03_train.ipynb is of type int, not 1.0"),
        ({"layers": {"value": True}}, "parameter 'layers' of 03_train.ipynb is of type int, not True"),
        ({"optimizer": {"value": 3}}, "parameter 'optimizer' of 03_train.ipynb is of type str, not 3"),
        ({"layers": {"value": None}}, "parameter 'layers' of 03_train.ipynb is of type int, not None"),
        ({"folder": {"value": "x"}}, "'folder' is not a parameter of 03_train.ipynb"),
    ],
)
def test_what_the_notebook_does_not_take_is_refused_before_the_first_run(parameters, sentence, notebook):
    fake = Fake()
    with pytest.raises(sweep.SweepError) as refusal:
        run(definition(parameters=SPACE | parameters), 3, notebook=notebook, execute=fake)
    assert sentence in str(refusal.value)
    assert not fake.ran


@pytest.mark.parametrize("fraction", [{"values": [0.1, 0]}, {"min": 0.0, "max": 0.5}])
def test_a_validation_metric_needs_validation_images(fraction, notebook):
    plan, fake = definition(parameters=SPACE | {"validation_fraction": fraction}), Fake()
    with pytest.raises(sweep.SweepError, match=r"'validationaccuracy' needs .* but validation_fraction can be 0"):
        run(plan, 3, notebook=notebook, execute=fake)
    assert not fake.ran
    plan["metric"] = {"name": "accuracy", "goal": "maximize"}
    assert len(run(plan, 3, notebook=notebook, execute=fake)) == 3


def test_a_notebook_with_a_computed_default_is_refused(notebook):
    notebook.write_text(notebook.read_text().replace("layers: int = 3", "layers: int = 2 + len('x')"))
    with pytest.raises(NotebookError, match=r"03_train\.ipynb: .* literals only, but 'layers' is 2 \+ len"):
        run(definition(), 3, notebook=notebook, execute=Fake())


def test_an_integer_is_a_float_and_none_fits_where_it_is_the_default(notebook):
    parameters = {"learning_rate": {"values": [0, 1]}, "momentum": {"values": [None, 0.9]}}
    assert len(run(definition("grid", parameters), notebook=notebook, execute=Fake())) == 4


# --- which configurations ---


@pytest.mark.parametrize("method", ["random", "bayes", "grid"])
def test_each_configuration_once_until_the_space_is_exhausted(method, notebook, capsys):
    fake = Fake()
    table = run(definition(method), 20, notebook=notebook, execute=fake)
    assert len(fake.ran) == len(freeze(fake.ran)) == len(table) == 12
    assert "its space holds 12 configurations, not 20" in capsys.readouterr().out


def test_a_grid_needs_no_count_and_a_random_search_does(notebook):
    assert len(run(definition("grid"), notebook=notebook, execute=Fake())) == 12
    with pytest.raises(sweep.SweepError, match="needs a number of runs"):
        run(definition(), notebook=notebook, execute=Fake())
    with pytest.raises(sweep.SweepError, match="workers must be from 1 to 512, not 0"):
        run(definition(), 3, workers=0, notebook=notebook, execute=Fake())
    assert len(run(definition(run_cap=3), notebook=notebook, execute=Fake())) == 3


@pytest.mark.parametrize("method", ["random", "bayes"])
def test_the_same_seed_gives_the_same_sequence_also_across_a_resume(method, notebook, tmp_path):
    parameters = SPACE | {"learning_rate": {"distribution": "log_uniform_values", "min": 1e-4, "max": 1e-1}}

    def sequence(folder, *counts, seed=0):
        fake = Fake()
        for count in counts:
            run(
                definition(method, parameters),
                count,
                workers=1,
                seed=seed,
                notebook=notebook,
                root=tmp_path / folder,
                execute=fake,
            )
        return fake.ran

    whole = sequence("whole", 12)
    assert sequence("parts", 3, 11, 12) == whole
    assert sequence("other", 1, seed=1) != whole[:1]
    assert all(1e-4 <= config["learning_rate"] <= 1e-1 for config in whole)


def test_random_draws_are_uniform_over_the_product():
    search = Search(sweep.read(definition(parameters={"seed": {"min": 0, "max": 999_999}})).space, "random")
    drawn = [search.ask()["seed"] for _ in range(200)]
    assert len(set(drawn)) == 200
    assert abs(sum(drawn) / 200 - 500_000) < 4 * 288_675 / math.sqrt(200)  # four standard errors of the uniform mean


def test_with_workers_the_sequence_does_not_depend_on_which_run_ends_first(notebook, tmp_path):
    """Nor on how many workers go on with it: the order in which configurations are chosen is that of their trials."""
    parameters = {"learning_rate": {"min": 0.0, "max": 1.0}}

    def sequence(folder, slow, *stages, workers=3):
        fake, started = Fake(), itertools.count()

        def execute(*arguments):
            time.sleep(0.25 if next(started) % 4 == slow else 0.01)
            fake(*arguments)

        root = tmp_path / folder
        for count, number in stages or [(25, workers)]:
            run(definition("bayes", parameters), count, number, notebook=notebook, root=root, execute=execute)
        return [trial.params["learning_rate"] for trial in trials_of("trial", root)[1]]

    first = sequence("first", 0)
    assert len(first) == 25
    assert sequence("second", 3) == first
    assert sequence("resumed", 1, (17, 3), (25, 2)) == first
    assert sequence("alone", 1, workers=1) != first  # it looks at later results, which is stated


def test_bayes_learns_where_it_is_good(notebook):
    fake = Fake()
    parameters = {"learning_rate": {"min": 0.0, "max": 1.0}}
    run(definition("bayes", parameters), 25, workers=1, notebook=notebook, execute=fake)
    rates = [config["learning_rate"] for config in fake.ran]
    assert sum(rates[15:]) / 10 < 0.25  # small is good here; at random it would be a half


@pytest.mark.parametrize("method", ["random", "bayes", "grid"])
def test_after_other_sweeps_only_what_they_have_not_run(method, notebook, capsys):
    fake = Fake()
    run(definition(), 5, notebook=notebook, execute=fake)
    table = run(definition(method, name="next"), 20, after=["trial"], notebook=notebook, execute=fake)
    assert len(table) == 7
    assert len(fake.ran) == len(freeze(fake.ran)) == 12
    output = capsys.readouterr().out
    assert "its space holds 7 configurations besides those of trial, not 20" in output
    assert "next: 7 of 7 runs" in output
    assert len(run(definition(method, name="next"), 20, after=["trial"], notebook=notebook, execute=fake)) == 7
    with pytest.raises(sweep.SweepError, match="'third' has nothing to run: its whole space ran in trial, next"):
        run(definition(method, name="third"), 3, after=["trial", "next"], notebook=notebook, execute=fake)
    assert len(fake.ran) == 12


def test_after_another_sweep_bayes_learns_from_it(notebook):
    parameters = {"learning_rate": {"min": 0.0, "max": 1.0}}
    run(definition("random", parameters), 16, notebook=notebook, execute=Fake())
    fake = Fake()
    plan = definition("bayes", parameters, name="next")
    run(plan, 5, workers=1, after=["trial"], notebook=notebook, execute=fake)
    assert sum(config["learning_rate"] for config in fake.ran) / 5 < 0.25  # without those 16 its first are at random


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"metric": {"name": "accuracy", "goal": "minimize"}}, "metric, goal"),
        ({"parameters": SPACE | {"layers": {"values": [2, 3]}}}, "parameters"),
        ({}, "code"),
    ],
)
def test_a_sweep_goes_on_only_after_one_that_looked_for_the_same(change, what, notebook):
    run(definition(), 2, notebook=notebook, execute=Fake())
    if what == "code":
        notebook.write_text(notebook.read_text().replace("/ 10", "/ 11"))
    fake = Fake()
    with pytest.raises(sweep.SweepError, match=f"'next' cannot go on after 'trial': they differ in {what}$"):
        run(definition(name="next") | change, 2, after=["trial"], notebook=notebook, execute=fake)
    assert not fake.ran


def test_a_sweep_goes_on_after_sweeps_and_not_after_itself(notebook):
    run(definition(), 2, notebook=notebook, execute=Fake())
    with pytest.raises(sweep.SweepError, match="'trial' cannot go on after itself"):
        run(definition(), 3, after=["trial"], notebook=notebook, execute=Fake())
    with pytest.raises(sweep.SweepError, match="there is no sweep 'none'"):
        run(definition(), 3, after=["none"], notebook=notebook, execute=Fake())
    run_configurations([{"layers": 2}], notebook=notebook, execute=Fake())
    with pytest.raises(sweep.SweepError, match="'evaluation' holds given configurations"):
        run(definition(), 3, after=["evaluation"], notebook=notebook, execute=Fake())


# --- nothing lost, nothing twice ---


def test_what_a_killed_driver_left_is_run_again_and_nothing_else(notebook):
    killed, fake = Fake(killed_after=4), Fake()
    with pytest.raises(Killed):
        run(definition(), 9, notebook=notebook, execute=killed)
    table = run(definition(), 9, notebook=notebook, execute=fake)
    assert len(killed.ran) == 4
    assert len(fake.ran) == 5
    assert len(freeze(killed.ran + fake.ran)) == len(table) == 9
    assert set(table.status) == {"finished"}


def test_a_run_that_ended_before_its_driver_heard_of_it_is_kept(notebook, monkeypatch):
    def tell(*_):
        raise Killed

    killed, fake = Fake(), Fake()
    with monkeypatch.context() as patch:
        patch.setattr(jobs.Jobs, "tell", tell)
        with pytest.raises(Killed):
            run(definition(), 4, workers=1, notebook=notebook, execute=killed)
    assert len(killed.ran) == 1
    assert len(run(definition(), 4, notebook=notebook, execute=fake)) == 4
    assert len(fake.ran) == 3


@pytest.mark.kernel
def test_more_runs_may_be_asked_for(notebook):
    fake = Fake()
    run(definition(), 3, notebook=notebook, execute=fake)
    assert len(run(definition(), 5, notebook=notebook, execute=fake)) == len(freeze(fake.ran)) == 5
    assert len(run(definition(), 5, notebook=notebook, execute=fake)) == len(fake.ran) == 5


def test_a_failed_run_stops_no_other_and_is_tried_once_by_each_start(notebook, capsys):
    bad = {"layers": 2, "activation": "TANH", "seed": 0}
    fake = Fake(fail=[bad])
    table = run(definition("grid"), notebook=notebook, execute=fake)
    assert table.status.value_counts().to_dict() == {"finished": 11, "failed": 1}
    (record,) = (record for record in sweep.records("trial") if record["status"] == "failed")
    assert record["error"] == "ValueError: what went wrong"
    assert {key: record["config"][key] for key in bad} == bad
    assert (Path(os.environ["FASHION_RUNS"]) / "trial" / record["name"] / "03_train.ipynb").read_text() == "executed"
    assert "failed (ValueError: what went wrong)" in capsys.readouterr().out
    run(definition("grid"), notebook=notebook, execute=fake)
    assert fake.ran[12:] == [bad]
    recovered = Fake()
    assert set(run(definition("grid"), notebook=notebook, execute=recovered).status) == {"finished"}
    assert recovered.ran == [bad]


def test_a_sweep_of_failures_says_so(notebook):
    def execute(*_):
        raise RuntimeError("Kernel died")

    with pytest.raises(sweep.SweepError, match="every run of trial failed, the last with RuntimeError: Kernel died"):
        run(definition(), 3, notebook=notebook, execute=execute)


def test_a_notebook_without_tracking_is_a_failure_with_a_hint(notebook):
    with pytest.raises(sweep.SweepError, match=r"must keep its run with tracking\.start"):
        run(definition(), 2, notebook=notebook, execute=lambda *_: None)


def test_a_diverged_run_has_its_result_and_is_never_the_best(notebook):
    good = {"layers": 3, "activation": "TANH", "seed": 0}
    fake = Fake(diverge=[good])
    run(definition("grid"), notebook=notebook, execute=fake)
    run(definition("grid"), notebook=notebook, execute=fake)
    assert len(fake.ran) == 12
    assert sweep.best("trial")["config"] != good


def test_where_no_run_has_a_result_it_is_said_what_became_of_them(notebook):
    configs = [{"layers": layers, "activation": "TANH", "seed": 0} for layers in (1, 2)]
    run(
        definition("random", {"layers": {"values": [1, 2]}, "activation": {"value": "TANH"}, "seed": {"value": 0}}),
        2,
        notebook=notebook,
        execute=Fake(diverge=configs),
    )
    with pytest.raises(sweep.SweepError, match=r"'trial' has no finished run with validationaccuracy: 2 diverged$"):
        sweep.best("trial")


@pytest.mark.parametrize("ask", [sweep.ranking, sweep.listing, sweep.status, sweep.configurations, sweep.best])
def test_what_a_sweep_has_come_to_is_seen_in_one_look(ask, notebook, monkeypatch):
    """Between two looks at its state another driver may have begun something else under its name."""
    run(definition("grid"), notebook=notebook, execute=Fake())
    looks, look = [], File.state
    monkeypatch.setattr(File, "state", lambda self: looks.append(self) or look(self))
    ask("trial")
    assert len(looks) == 1


def test_changed_code_or_definition_or_seed_begins_anew(notebook):
    fake = Fake()
    run(definition(), 3, notebook=notebook, execute=fake)
    run(definition(description="the same", run_cap=99), 3, notebook=notebook, execute=fake)
    notebook.write_text(notebook.read_text().replace("# a name", "# some other comment"))
    run(definition(), 3, notebook=notebook, execute=fake)
    assert len(fake.ran) == 3  # none of that decides a result

    narrow = definition(parameters=SPACE | {"layers": {"values": [7, 8]}})
    assert set(run(narrow, 3, notebook=notebook, execute=fake).layers) <= {7, 8}
    assert sweep.best("trial")["config"]["layers"] in {7, 8}
    run(definition(), 3, notebook=notebook, execute=fake)
    assert len(fake.ran) == 6  # back to the first definition, whose records are still there

    notebook.write_text(notebook.read_text().replace("/ 10", "/ 11"))
    table = run(definition(), 2, notebook=notebook, execute=fake)
    assert len(table) == 2
    assert len(fake.ran) == 8


@pytest.mark.kernel
def test_back_to_earlier_code_runs_what_later_code_has_overwritten(notebook):
    fake, earlier = Fake(), notebook.read_text()
    plan = definition("grid", {"layers": {"values": [2, 3, 4]}})
    run(plan, notebook=notebook, execute=fake)
    notebook.write_text(earlier.replace("/ 10", "/ 11"))
    run(plan, 2, notebook=notebook, execute=fake)
    notebook.write_text(earlier)
    assert len(run(plan, notebook=notebook, execute=fake)) == 3
    assert len(fake.ran) == 3 + 2 + 2


@pytest.mark.kernel
def test_a_result_is_kept_until_its_successor_has_one(notebook):
    plan = definition("grid", {"layers": {"values": [2]}})
    run(plan, notebook=notebook, execute=Fake())
    (record,) = sweep.records("trial")
    folder = sweep.run_folder("trial", record)
    (folder / "weights.npz").write_text("of the first")
    notebook.write_text(notebook.read_text().replace("/ 10", "/ 11"))
    for _ in range(2):
        with pytest.raises(sweep.SweepError, match="every run of trial failed"):
            run(plan, notebook=notebook, execute=Fake(fail=[{"layers": 2}]))
        assert json.loads((folder / "previous_record.json").read_text()) == record
        assert (folder / "previous_weights.npz").read_text() == "of the first"
        assert not (folder / "weights.npz").exists()


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"status": "finished"}', "\0" * 100])
def test_a_run_whose_record_is_damaged_runs_again(damage, notebook):
    fake = Fake()
    run(definition(), 3, notebook=notebook, execute=fake)
    record = sweep.records("trial")[1]
    (sweep.run_folder("trial", record) / "record.json").write_text(damage)
    assert len(sweep.table("trial")) == 2
    assert len(run(definition(), 3, notebook=notebook, execute=fake)) == 3
    assert fake.ran[3:] == [record["config"]]
    for record in sweep.records("trial"):
        (sweep.run_folder("trial", record) / "record.json").write_text(damage)
    assert sweep.status("trial") == "trial: 0 of 3 runs (none yet)"


@pytest.mark.parametrize(("file", "content"), [("sweep.json", "{"), ("sweep.json", "{}"), ("study.db", "x" * 5000)])
def test_a_damaged_file_of_a_sweep_is_named_with_the_way_out(file, content, notebook, capsys):
    fake, path = Fake(), Path(os.environ["FASHION_RUNS"]) / "trial" / file
    run(definition(), 3, notebook=notebook, execute=fake)
    path.write_text(content)
    capsys.readouterr()
    assert command.main(["status", "trial"]) == 1
    error = capsys.readouterr().err
    assert f"{file} is damaged: " in error
    assert len(error.splitlines()) == 1
    if file == "study.db":
        with pytest.raises(sweep.SweepError, match=r"study\.db is damaged: move it away and run the sweep again"):
            run(definition(), 3, notebook=notebook, execute=fake)
        path.unlink()
    assert len(run(definition(), 3, notebook=notebook, execute=fake)) == 3
    assert len(fake.ran) == 3


def test_the_notebook_of_a_run_that_outlived_its_driver_gets_its_name(notebook):
    configs = [{"layers": 2}]
    (record,) = run_configurations(configs, notebook=notebook, execute=Fake())
    folder = sweep.run_folder("evaluation", record)
    (folder / "03_train.ipynb").rename(folder / "03_train.running.ipynb")
    run_configurations(configs, notebook=notebook, execute=Fake())
    assert {path.name for path in folder.iterdir()} == {"record.json", "03_train.ipynb"}


def test_code_that_changes_under_a_sweep_stops_it(notebook):
    class Edit(Fake):
        def __call__(self, *arguments):
            super().__call__(*arguments)
            notebook.write_text(notebook.read_text().replace("/ 10", "/ 11"))

    fake = Edit()
    with pytest.raises(sweep.SweepError, match="the code has changed meanwhile"):
        run(definition(), 9, workers=1, notebook=notebook, execute=fake)
    assert len(fake.ran) == 1


def test_a_second_driver_of_a_sweep_is_refused(notebook):
    class Nested(Fake):
        def __call__(self, *arguments):
            super().__call__(*arguments)
            with pytest.raises(sweep.SweepError, match="is being run by another process"):
                run(definition(), 3, notebook=notebook, execute=Fake())

    assert len(run(definition(), 3, workers=1, notebook=notebook, execute=Nested())) == 3


# --- seeds, early termination, what is kept ---


class Seeded(Fake):
    """Whose accuracy depends on the seed: with layers 4 it is best for one seed, and worse on average."""

    def __call__(self, notebook, output, parameters, timeout, hear):
        super().__call__(notebook, output, parameters, timeout, hear)
        path = Path(parameters["folder"]) / "record.json"
        record = json.loads(path.read_text())
        if record["status"] == "finished":
            gain = {(4, 0): 0.5, (4, 1): -0.5, (2, 1): 0.01}.get((parameters["layers"], parameters["seed"]), 0)
            record["history"][-1]["validationaccuracy"] += gain
        write_json(path, record)


def test_each_configuration_runs_with_every_seed_and_counts_by_the_mean(notebook):
    fake, plan = Seeded(), definition("grid", {"layers": {"values": [2, 3, 4]}}, seeds=3)
    table = run(plan, notebook=notebook, execute=fake)
    assert freeze(fake.ran) == {(("layers", n), ("seed", seed)) for n in (2, 3, 4) for seed in (0, 1, 2)}
    assert len(table) == len(fake.ran) == 9
    rows = sweep.listing("trial")
    assert list(rows.columns[:4]) == ["mean", "validationaccuracy", "layers", "seed"]
    assert list(rows.layers) == [3] * 3 + [2] * 3 + [4] * 3
    assert rows["mean"].tolist() == pytest.approx([1.0] * 3 + [0.9 + 0.01 / 3] * 3 + [0.9] * 3)
    assert rows.validationaccuracy.idxmax() == 6  # the luckiest seed of all is the last configuration's
    assert [record["config"]["layers"] for _, record in sweep.best_first("trial")] == list(rows.layers)
    assert sweep.best("trial")["config"]["layers"] == 3  # 1.0 on average; 4 has 1.4 with its best seed, 0.9 on average
    values = {trial.params["layers"]: trial.value for trial in trials_of("trial")[1]}
    assert values == pytest.approx({2: 0.9 + 0.01 / 3, 3: 1.0, 4: 0.9})
    assert sweep.status("trial").startswith(
        "trial: 9 of 9 runs (9 finished); best validationaccuracy 1.0000 (mean of 3"
    )
    run(plan, notebook=notebook, execute=fake)
    assert len(fake.ran) == 9


def record(layers, seed, status, accuracy, seconds):
    config = {"layers": layers, "seed": seed}
    history = [{"epoch": 1, "validationaccuracy": accuracy, "seconds": seconds}]
    return {"config": config, "status": status, "history": history, "seconds": seconds, "error": None, "name": ""}


def test_means_over_seeds_are_those_worked_by_hand(notebook):
    """Configuration 3 is the best of all with one seed, and the second on average."""
    groups = [
        [record(2, 0, "finished", 0.80, 10.0), record(2, 1, "finished", 0.84, 20.0)],
        [record(4, 0, "finished", 0.89, 1.0), record(4, 1, "diverged", 0.99, 2.0)],
        [record(3, 0, "finished", 0.90, 30.0), record(3, 1, "finished", 0.70, 50.0)],
        [record(5, 0, "finished", 0.95, 1.0)],  # the other seed has not run yet
    ]
    results = [result_of(group, "validationaccuracy", 2) for group in groups]
    for goal, order in (("maximize", [2, 3, 4, 5]), ("minimize", [3, 2, 4, 5])):
        assert [result.config["layers"] for result in ranked(results, goal)] == order
    assert [result.value for result in results] == [pytest.approx(0.82), None, pytest.approx(0.80), None]
    assert results[0].deviation == pytest.approx(0.02 * 2**0.5)
    assert results[1].deviation is None


@pytest.mark.kernel
def test_a_seed_that_fails_spares_the_others_and_the_rest_is_made_up_for(notebook):
    plan, bad = definition("grid", {"layers": {"values": [2, 3]}}, seeds=3), {"layers": 2, "seed": 1}
    fake = Seeded(fail=[bad])
    table = run(plan, workers=1, notebook=notebook, execute=fake)
    assert len(fake.ran) == 5
    assert table.status.value_counts().to_dict() == {"finished": 4, "failed": 1}
    fake = Seeded()
    assert set(run(plan, workers=1, notebook=notebook, execute=fake).status) == {"finished"}
    assert fake.ran == [bad, {"layers": 2, "seed": 2}]


class Blind(Fake):
    """Whose runs report no validation accuracy from some epoch on."""

    def __init__(self, epochs, without):
        super().__init__()
        self.epochs, self.without = epochs, without

    def __call__(self, notebook, output, parameters, timeout, hear):
        super().__call__(notebook, output, parameters, timeout, hear)
        path = Path(parameters["folder"]) / "record.json"
        record = json.loads(path.read_text())
        record["history"] = [record["history"][-1] | {"epoch": epoch} for epoch in range(1, self.epochs + 1)]
        for epoch in record["history"][self.without - 1 :]:
            epoch.pop("validationaccuracy")
        write_json(path, record)


@pytest.mark.kernel
def test_a_metric_that_the_first_epoch_lacks_ends_the_sweep_with_those_that_there_are(notebook):
    fake, plan = Blind(1, 1), definition("grid", {"layers": {"values": [2, 3, 4]}})
    with pytest.raises(
        sweep.SweepError, match=r"^'validationaccuracy' is not a metric that 03_train\.ipynb reports: "
    ) as e:
        run(plan, workers=1, notebook=notebook, execute=fake)
    assert "accuracy" in str(e.value)
    assert len(fake.ran) == 1


@pytest.mark.kernel
def test_a_finished_run_that_loses_the_metric_has_failed_and_is_not_run_for_ever(notebook):
    fake = Blind(2, 2)
    run(definition("grid", {"layers": {"values": [2, 3]}}), notebook=notebook, execute=fake)
    assert len(fake.ran) == 2
    assert [trial.outcome for trial in trials_of("trial")[1]] == ["failed", "failed"]


@pytest.mark.kernel
def test_a_metric_that_a_notebook_lacks_ends_the_sweep_while_its_first_run_trains(notebook, monkeypatch):
    """With a kernel, long before the run would end."""
    monkeypatch.setenv("EPOCH", "1")
    plan = definition("grid", {"max_epochs": {"value": 500}}, metric={"name": "val_f1", "goal": "maximize"})
    sentence = r"'val_f1' is not a metric that 03_train\.ipynb reports: choose from accuracy, loss, validationaccuracy"
    with pytest.raises(sweep.SweepError, match=sentence):
        run(plan, workers=1, notebook=notebook, timeout=60)
    (record,) = sweep.records("trial")
    assert record["status"] == "interrupted"
    assert len(record["history"]) < 100


def test_a_smaller_count_shows_what_is_there_and_runs_nothing(notebook):
    fake = Fake()
    run(definition(), 3, notebook=notebook, execute=fake)
    assert len(run(definition(), 1, notebook=notebook, execute=fake)) == len(fake.ran) == 3
    assert sweep.status("trial").startswith("trial: 3 of 3 runs")


@pytest.mark.parametrize("timeout", [-1, 0, 1e300, math.inf, math.nan])
def test_a_time_limit_is_a_time(timeout, notebook):
    with pytest.raises(sweep.SweepError, match="timeout must be a number of seconds above 0, below 1e\\+09, not"):
        run(definition(), 3, timeout=timeout, notebook=notebook, execute=Fake())


@pytest.mark.kernel
def test_what_has_not_finished_shows_no_metric_and_what_is_shown_is_best_first(notebook):
    parameters = {"layers": {"values": [2, 3]}, "learning_rate": {"values": [0.1, 0.15]}, "seed": {"value": 1}}
    fake = Fake(diverge=[{"layers": 3, "learning_rate": 0.1, "seed": 1}])
    table = run(definition("grid", parameters), notebook=notebook, execute=fake)
    assert table.set_index("status").validationaccuracy.isna().to_dict() == {"finished": False, "diverged": True}
    rows = sweep.listing("trial")
    assert list(rows.columns) == ["validationaccuracy", "layers", "learning_rate", "status", "epochs", "seconds"]
    assert list(zip(rows.layers, rows.learning_rate, strict=True)) == [(3, 0.15), (2, 0.1), (2, 0.15), (3, 0.1)]
    assert len(sweep.listing("trial", everything=True).columns) > len(rows.columns)


def test_the_best_of_several_sweeps_is_by_the_mean_over_seeds(notebook):
    """Configuration 4 has the best single run of all; on average it is worse than 3."""
    parameters = {"layers": {"values": [4]}}
    run(definition("grid", parameters, seeds=3), notebook=notebook, execute=Seeded())
    run(definition("grid", {"layers": {"values": [3]}}, seeds=3, name="next"), notebook=notebook, execute=Seeded())
    assert sweep.best("trial", "next")["config"]["layers"] == 3
    both = sweep.configurations("trial", "next")
    assert list(both.layers) == [3, 4]
    assert list(both.sweep) == ["next", "trial"]
    assert both.validationaccuracy.tolist() == pytest.approx([1.0, 0.9])
    other = definition("grid", parameters, name="other", metric={"name": "loss", "goal": "minimize"})
    run(other, notebook=notebook, execute=Fake())
    with pytest.raises(
        sweep.SweepError, match="sweeps that seek different things have no best one in common: 'trial' "
    ):
        sweep.best("trial", "other")


def test_seeds_and_a_parameter_seed_are_refused(notebook):
    with pytest.raises(sweep.SweepError, match="seeds and the parameter 'seed' say the same thing"):
        sweep.read(definition(seeds=3))
    with pytest.raises(sweep.SweepError, match="seeds must be a whole number, from 1 to 1000, not"):
        sweep.read(definition(seeds=0))


@pytest.mark.kernel
def test_nested_parameters_reach_the_notebook_as_a_dictionary(notebook):
    notebook.write_text(notebook.read_text().replace("draw: bool", 'settings: dict = {}  # more\\n",\n    "draw: bool'))
    inner = {"beta": {"values": [1, 2]}, "deep": {"parameters": {"er": {"value": "x"}}}}
    fake, plan = Fake(), definition("grid", {"settings": {"parameters": inner}})
    run(plan, notebook=notebook, execute=fake)
    assert fake.ran == [{"settings": {"beta": beta, "deep": {"er": "x"}}} for beta in (1, 2)]
    assert len({record["name"] for record in sweep.records("trial")}) == 2
    with pytest.raises(sweep.SweepError, match=r"parameter 'layers.beta' of 03_train.ipynb is of type int, not 1"):
        run(definition("grid", {"layers": {"parameters": inner}}), notebook=notebook, execute=fake)


def test_of_the_best_and_of_the_failed_all_is_kept_of_others_the_record(notebook):
    class Weighty(Fake):
        def __call__(self, notebook, output, parameters, timeout, hear):
            (Path(parameters["folder"]) / "weights.npz").write_text("weights")
            super().__call__(notebook, output, parameters, timeout, hear)

    rates = [0.1, 0.2, 0.3, 0.4, 0.5]
    bad = [{"layers": 2, "learning_rate": rate} for rate in rates[:3]]
    plan = definition("grid", {"layers": {"values": [2, 3]}, "learning_rate": {"values": rates}})
    run(plan, 4, workers=1, keep=2, notebook=notebook, execute=Weighty(fail=bad))
    run(plan, workers=1, keep=2, notebook=notebook, execute=Weighty(fail=bad))
    folders = {record["name"]: sweep.run_folder("trial", record) for record in sweep.records("trial")}
    assert all((folder / "record.json").exists() for folder in folders.values())
    full = [record for record in sweep.records("trial") if (folders[record["name"]] / "03_train.ipynb").exists()]
    kept = {(r["status"], r["config"]["layers"], r["config"]["learning_rate"]) for r in full}
    assert kept == {("finished", 3, 0.1), ("finished", 3, 0.2), ("failed", 2, 0.2), ("failed", 2, 0.3)}
    with_weights = {name for name, folder in folders.items() if (folder / "weights.npz").exists()}
    assert with_weights == {record["name"] for record in full}
    with pytest.raises(sweep.SweepError, match="keep must be a number of runs, at least 0, not -1"):
        run(plan, keep=-1, notebook=notebook, execute=Fake())


def test_a_run_on_record_elsewhere_is_taken_over_if_asked_for(notebook):
    fake = Fake(fail=[{"layers": 4}])
    run(definition("grid", {"layers": {"values": [3, 4]}}), notebook=notebook, execute=fake)
    plan = definition("grid", {"layers": {"values": [2, 3, 4]}}, name="next")
    again = Fake()
    run(plan, reuse=True, notebook=notebook, execute=again)
    assert again.ran == [{"layers": 2}, {"layers": 4}]  # what failed is no result
    taken = {record["config"]["layers"]: record.get("taken_from") for record in sweep.records("next")}
    assert taken == {2: None, 3: "trial", 4: None}
    assert (sweep.run_folder("next", sweep.best("next")) / "03_train.ipynb").read_text() == "executed"
    apart = Fake()
    run(definition("grid", plan["parameters"], name="third"), notebook=notebook, execute=apart)
    assert len(apart.ran) == 3  # nobody asked
    notebook.write_text(notebook.read_text().replace("/ 10", "/ 11"))
    changed = Fake()
    run(definition("grid", plan["parameters"], name="fourth"), reuse=True, notebook=notebook, execute=changed)
    assert len(changed.ran) == 3  # that was other code


@pytest.mark.kernel
def test_a_sweep_is_resumed_by_its_name(notebook, capsys):
    killed, fake = Fake(killed_after=2), Fake()
    with pytest.raises(Killed):
        run(definition(), 5, workers=1, seed=7, notebook=notebook, execute=killed)
    table = sweep.resume("trial")  # with a real kernel, of the notebook that it was started with
    assert len(table) == 5
    run(definition(), 5, workers=1, seed=7, notebook=notebook, execute=fake)
    assert not fake.ran
    run_configurations([{"layers": 2}], notebook=notebook, execute=fake)
    with pytest.raises(sweep.SweepError, match="'evaluation' holds given configurations"):
        sweep.resume("evaluation")


def test_names_that_the_network_does_not_have_are_refused_before_the_first_run(monkeypatch):
    monkeypatch.undo()
    fake = Fake()
    for parameter, wrong, right in [("optimizer", "ADAMM", "adam"), ("activation", "relo", "relu"), ("loss", "x", "")]:
        with pytest.raises(sweep.SweepError) as refusal:
            run(definition(parameters={parameter: {"values": [wrong]}}), 1, execute=fake)
        assert f"{wrong.casefold()!r} is not a known {parameter}: " in str(refusal.value)
        assert f"the nearest is '{right}" in str(refusal.value) or not right
    assert not fake.ran


def test_a_name_that_the_notebook_adds_is_known(notebook):
    book = nbformat.read(notebook, as_version=4)
    book.cells[1].source = 'NeuralNetwork.OPTIMIZERS["eve"] = Eve\n' + book.cells[1].source
    nbformat.write(book, notebook)
    Notebook(notebook).check_names({"optimizer": ["EVE", "adam"]})
    with pytest.raises(NotebookError, match="'evil' is not a known optimizer"):
        Notebook(notebook).check_names({"optimizer": ["evil"]})


# --- given configurations ---


def test_given_configurations_come_back_in_order(notebook):
    fake = Fake()
    configs = [{"layers": 4}, {"layers": 2}, {"layers": 4}, {"layers": 3}]
    records = run_configurations(configs, notebook=notebook, execute=fake)
    assert [record["config"]["layers"] for record in records] == [4, 2, 4, 3]
    assert len(fake.ran) == 3
    assert run_configurations(configs[1:], notebook=notebook, execute=fake) == records[1:]
    assert len(fake.ran) == 3
    assert len(sweep.table("evaluation")) == 3
    assert sweep.best("evaluation")["config"]["layers"] == 3


def test_only_the_given_configurations_of_now_are_read(notebook):
    run_configurations([{"layers": 3}, {"layers": 2}], notebook=notebook, execute=Fake())
    run_configurations([{"layers": 4}, {"layers": 2}], notebook=notebook, execute=Fake())
    assert list(sweep.table("evaluation").layers) == [4, 2]
    assert sweep.best("evaluation")["config"]["layers"] in {2, 4}
    assert sweep.status("evaluation").startswith("evaluation: 2 of 2 runs")
    with pytest.raises(sweep.SweepError, match="cannot have the name 'notebooks', whose folder keeps other runs"):
        run_configurations([{"layers": 4}], "notebooks", notebook=notebook, execute=Fake())


def test_a_given_configuration_that_fails_is_named_after_the_others_have_ended(notebook):
    fake = Fake(fail=[{"layers": 4}])
    with pytest.raises(sweep.SweepError, match=r"the run hl_4_\S+ of evaluation failed with ValueError: what went"):
        run_configurations([{"layers": 4}, {"layers": 2}], workers=1, notebook=notebook, execute=fake)
    assert len(fake.ran) == 2
    assert len(run_configurations([{"layers": 4}, {"layers": 2}], notebook=notebook, execute=Fake())) == 2


def test_a_given_configuration_that_nothing_validates_is_not_reproached_for_it(notebook, capsys):
    """Chapter 5 trains on all images, and holds none out."""

    class Unjudged(Fake):
        def __call__(self, notebook, output, parameters, timeout, hear):
            super().__call__(notebook, output, parameters, timeout, hear)
            path = Path(parameters["folder"]) / "record.json"
            record = json.loads(path.read_text())
            record["history"][0].pop("validationaccuracy")
            write_json(path, record)

    run_configurations([{"layers": 4, "validation_fraction": 0}], notebook=notebook, execute=Unjudged())
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("1 of 1 · finished · ")


def test_given_configurations_are_checked_too(notebook):
    with pytest.raises(NotebookError, match=r"'layer' is not a parameter of 03_train\.ipynb: the nearest is 'layers'"):
        run_configurations([{"layer": 4}], notebook=notebook, execute=Fake())


# --- what there is to read ---


def test_a_table_has_a_row_for_each_run(notebook):
    bad = {"layers": 2, "activation": "TANH", "seed": 0}
    table = run(definition("grid"), notebook=notebook, execute=Fake(fail=[bad]))
    assert {"layers", "activation", "seed", "status", "trainloss", "validationaccuracy"} < set(table.columns)
    assert list(table.columns[-4:]) == ["seconds", "epochs", "seconds_saved", "name"]
    assert "momentum" not in table.columns
    row = table[table.status == "failed"].iloc[0]
    assert row.epochs == 0
    assert math.isnan(row.validationaccuracy)
    assert (table[table.layers == 3].validationaccuracy == 1).all()


def test_a_parameter_may_be_called_like_what_became_of_its_run(notebook, capsys):
    """Most notebooks of one's own call the passes over their data epochs, and some their speed seconds."""
    source = 'epochs: int = 1\\n",\n    "seconds: int = 1\\n",\n    "limit: int'
    notebook.write_text(notebook.read_text().replace("limit: int", source))
    plan = definition("grid", {"epochs": {"values": [5, 7]}, "seconds": {"value": 3}, "layers": {"value": 3}})
    table = run(plan, notebook=notebook, execute=Fake())
    assert list(table.epochs) == [5, 7]
    assert list(table.seconds) == [3, 3]
    assert list(table.run_epochs) == [1, 1]
    assert list(table.run_seconds) == [0.1, 0.1]
    rows = sweep.listing("trial")
    assert list(rows.columns) == ["validationaccuracy", "epochs", "status", "run_epochs", "run_seconds"]
    both = sweep.configurations("trial")
    assert list(both.seconds) == [3, 3]
    assert list(both.run_seconds) == [0.1, 0.1]


@pytest.mark.parametrize(("goal", "layers"), [("maximize", 3), ("minimize", 2)])
def test_the_best_is_best_by_the_goal(goal, layers, notebook):
    metric = {"name": "validationaccuracy", "goal": goal}
    parameters = {"layers": {"values": [2, 3]}}
    run(definition("grid", parameters, metric=metric), notebook=notebook, execute=Fake())
    assert sweep.best("trial")["config"]["layers"] == layers


def test_the_parameter_that_decides_all_has_the_largest_share(notebook):
    parameters = {"seed": {"values": [0, 1]}, X: {"min": 0.0, "max": 1.0}, "activation": SPACE["activation"]}
    run(definition("random", parameters), 16, notebook=notebook, execute=Fake())  # the accuracy is 1 - X
    shares = sweep.importance("trial", resamples=10)
    assert shares.index[0] == X
    assert set(shares.index) == set(parameters)
    assert shares["mean"][X] > 0.6
    assert shares["mean"].sum() == pytest.approx(1)
    assert (shares["deviation"] >= 0).all()


def test_too_few_runs_do_not_say_what_matters(notebook):
    run(definition(), 3, notebook=notebook, execute=Fake())
    shares = sweep.importance("trial")
    assert list(shares) == ["mean", "deviation", "low", "high"]
    assert shares.empty


def test_the_folder_of_a_run_holds_its_record(notebook):
    run(definition(), 2, notebook=notebook, execute=Fake())
    for record in sweep.records("trial"):
        assert json.loads((sweep.run_folder("trial", record) / "record.json").read_text()) == record


def test_the_command_line(notebook, tmp_path, monkeypatch, capsys):
    run(definition("grid"), notebook=notebook, execute=Fake())
    capsys.readouterr()
    assert command.main(["status", "trial"]) == 0
    assert capsys.readouterr().out.startswith(
        "trial: 12 of 12 runs (12 finished); best validationaccuracy 1.0000: hl_3_"
    )
    assert command.main(["best", "trial"]) == 0
    assert json.loads(capsys.readouterr().out)["config"]["layers"] == 3
    assert command.main(["table", "trial", "--csv", str(tmp_path / "table.csv")]) == 0
    assert len((tmp_path / "table.csv").read_text().splitlines()) == 13
    assert command.main(["table", "trial"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 13


@pytest.mark.parametrize(
    "arguments",
    [
        ["status", "none"],
        ["best", "none"],
        ["table", "none"],
        ["upload", "none"],
        ["resume", "none"],
        ["run", "none.yaml"],
    ],
)
def test_a_mistake_on_the_command_line_is_a_sentence_and_exit_1(arguments, capsys):
    assert command.main(arguments) == 1
    error = capsys.readouterr().err
    assert "none" in error
    assert len(error.splitlines()) == 1


def test_ctrl_c_on_the_command_line_is_exit_130(monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(sweep, "run", interrupted)
    assert command.main(["run", "sweeps/random.yaml"]) == 130


def agent(words, tmp_path, monkeypatch):
    """What W&B's agent would have run, by its file."""
    given = {}

    def run_configurations(configs, sweep, workers, **options):
        given.update(configs=configs, sweep=sweep, workers=workers, **options)
        return [{}]

    monkeypatch.setattr(sweep, "run_configurations", run_configurations)
    monkeypatch.setenv("FASHION_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("WANDB_SWEEP_ID", "../../s1")
    monkeypatch.setenv("WANDB_RUN_ID", "r1")
    (tmp_path / "config.json").write_text(json.dumps(words))
    return command.main(["agent", str(tmp_path / "config.json")]), given


def test_an_agent_of_wandb_runs_once_what_its_file_says(tmp_path, monkeypatch):
    code, given = agent({"layers": 2, "learning_rate": "1e-05"}, tmp_path, monkeypatch)
    assert code == 0
    assert given.pop("root").parent == (tmp_path / "runs").resolve()  # whatever W&B calls a sweep
    assert given == {"configs": [{"layers": 2, "learning_rate": 1e-5}], "sweep": "r1", "workers": 1, "taken": []}
    assert agent({}, tmp_path, monkeypatch)[1]["configs"] == [{}]


def test_an_agents_words_are_taken_for_ours_and_that_is_said(tmp_path, monkeypatch, capsys):
    words = {"hidden_size": [64, 32], "opt": "nesterov", "weight_init": "Glorot"}
    code, given = agent(words, tmp_path, monkeypatch)
    assert code == 0
    config = {"num_hidden_neurons": [64, 32], "layers": 2, "optimizer": "nag", "initializer": "xavier"}
    assert given["configs"] == [config]
    assert "hidden_size is taken for num_hidden_neurons" in given["taken"]
    assert "opt is taken for optimizer" in capsys.readouterr().out
    assert agent({"warmth": 0.1}, tmp_path, monkeypatch)[0] == 1
    assert "'warmth' is not a parameter of 03_train.ipynb" in capsys.readouterr().err


def test_a_run_is_called_by_its_folder_whatever_its_notebook_calls_it(notebook):
    """One that logs less than it takes, or that would have files elsewhere removed."""

    class Misnamed(Fake):
        def __call__(self, notebook, output, parameters, timeout, hear):
            super().__call__(notebook, output, parameters, timeout, hear)
            path = Path(parameters["folder"]) / "record.json"
            write_json(path, json.loads(path.read_text()) | {"name": "another"})

    elsewhere = Path(os.environ["FASHION_RUNS"]) / "trial" / "another"
    elsewhere.mkdir()
    (elsewhere / "weights.npz").write_text("of somebody else")
    run(definition(), 3, keep=1, notebook=notebook, execute=Misnamed())
    assert all(sweep.run_folder("trial", record).is_dir() for record in sweep.records("trial"))
    assert len({record["name"] for record in sweep.records("trial")}) == 3
    assert (elsewhere / "weights.npz").exists()


def test_a_run_whose_notebook_overwrites_a_parameter_fails_with_a_sentence(notebook):
    """Otherwise two runs in folders named after 2 and 3 would both be what 3 has come to."""

    class Stubborn(Fake):
        def __call__(self, notebook, output, parameters, timeout, hear):
            super().__call__(notebook, output, parameters, timeout, hear)
            path = Path(parameters["folder"]) / "record.json"
            record = json.loads(path.read_text())
            write_json(path, record | {"config": record["config"] | {"layers": 3}})

    run(definition("grid", {"layers": {"values": [2, 3]}}), notebook=notebook, execute=Stubborn())
    told = {record["name"].split("_")[1]: (record["status"], record["error"]) for record in sweep.records("trial")}
    cause = "a cell of the notebook must have changed it"
    sentence = f"the run was asked for layers = 2, but has 3 on record: {cause}"
    assert told == {"2": ("failed", sentence), "3": ("finished", None)}
    assert sweep.best("trial")["name"].startswith("hl_3")


def test_capitals_alone_do_not_tell_sweeps_apart(notebook):
    run(definition(), 1, notebook=notebook, execute=Fake())
    sentence = "there is a sweep 'trial' beside 'Trial', and capitals alone do not tell folders apart on every system"
    with pytest.raises(sweep.SweepError, match=sentence):
        run(definition(name="Trial"), 1, notebook=notebook, execute=Fake())


# --- with real kernels ---

DRIVE = """
import json, signal, sys
from lab.search import sweep
signal.signal(signal.SIGINT, signal.default_int_handler)  # the background jobs of a shell ignore it
try:
    sweep.run(json.loads(sys.argv[1]), notebook=sys.argv[2], timeout=float(sys.argv[3]))
except KeyboardInterrupt:
    sys.exit(130)
"""


def drive(notebook, plan, timeout=60, **variables):
    """A driver in a process of its own."""
    command = [sys.executable, "-c", DRIVE, json.dumps(plan), str(notebook), str(timeout)]
    return subprocess.Popen(command, env=os.environ | variables, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)


@pytest.mark.kernel
def test_a_sweep_runs_the_notebook(notebook, capfd):
    parameters = {
        "layers": {"values": [2, 3]},
        "activation": {"values": ["tanh", "unknown"]},
        "learning_rate": {"values": [0.5, 2]},
        "seed": {"value": 5},
    }
    table = run(definition("grid", parameters), notebook=notebook)
    assert table.status.value_counts().to_dict() == {"finished": 2, "diverged": 2, "failed": 4}
    for record in sweep.records("trial"):
        folder = Path(os.environ["FASHION_RUNS"]) / "trial" / record["name"]
        assert {path.name for path in folder.iterdir()} == {"record.json", "03_train.ipynb"}
        assert record["threads"] == dict.fromkeys(tracking.THREADS, "1")
        assert record["fingerprint"] == Notebook(notebook, RULES).fingerprint
        executed = nbformat.read(folder / "03_train.ipynb", as_version=4)
        assert any("seed = 5" in cell.source for cell in executed.cells)
        if record["status"] == "failed":
            assert record["error"] == "ValueError: there is no activation 'unknown'"
    output, errors = capfd.readouterr()
    assert errors == ""
    assert len(output.splitlines()) == 9


@pytest.mark.kernel
def test_what_a_kernel_says_at_its_end_is_kept_beside_the_runs(notebook, capfd):
    """It belongs to no cell and is no error of the sweep: ipykernel, for one, complains at times as it is stopped."""
    book = nbformat.read(notebook, as_version=4)
    book.cells[1].source += 'import atexit\natexit.register(os.write, 2, b"last words\\n")\n'
    nbformat.write(book, notebook)
    run(definition("grid", {"layers": {"values": [2, 3]}}), notebook=notebook)
    assert capfd.readouterr().err == ""
    log = Path(os.environ["FASHION_RUNS"]) / "trial" / "kernels.log"
    assert log.read_text().count("last words") == 2


@pytest.mark.kernel
def test_a_run_whose_kernel_dies_is_tried_again(notebook):
    book, mark = nbformat.read(notebook, as_version=4), "died = os.path.join(folder, 'died')\n"
    die = "if layers == 2 and not os.path.exists(died):\n    open(died, 'x')\n    os.kill(os.getpid(), 9)\n"
    book.cells[1].source = "import os\n" + mark + die + book.cells[1].source
    nbformat.write(book, notebook)
    table = run(definition("grid", {"layers": {"values": [2, 3]}}), notebook=notebook)
    assert set(table.status) == {"finished"}


@pytest.mark.kernel
def test_hyperband_really_stops_runs_after_an_epoch(notebook):
    rates, rule = [0.1, 0.2, 0.5, 0.6, 0.0], {"type": "hyperband", "min_iter": 2, "eta": 2}
    parameters = {"learning_rate": {"values": rates}, "max_epochs": {"value": 6}, "layers": {"value": 3}}
    plan = definition("grid", parameters, early_terminate=rule)
    table = run(plan, workers=1, notebook=notebook).set_index("learning_rate")
    # Each is among the better half of those before it, or ends at epoch 2.
    assert table.status.to_dict() == {0.1: "finished", 0.2: "finished", 0.5: "stopped", 0.6: "stopped", 0.0: "finished"}
    assert table.epochs.to_dict() == {0.1: 6, 0.2: 6, 0.5: 2, 0.6: 2, 0.0: 6}
    assert table.seconds_saved.to_dict() == pytest.approx({0.1: 0, 0.2: 0, 0.5: 0.4, 0.6: 0.4, 0.0: 0})
    assert "3 finished, 2 stopped); stopping early saved about 0.8 s; best" in sweep.status("trial")
    assert len(journal("begin")) == 5
    run(plan, workers=1, notebook=notebook)
    assert len(journal("begin")) == 5  # what was stopped has its result


@pytest.mark.kernel
def test_hyperband_stops_a_run_of_any_seed_beside_the_same_seed_of_others(notebook):
    """Rate 0.1 is best with its first seed and falls behind with its second; 0.5 falls behind with its first."""
    source = notebook.read_text()
    worse = "- learning_rate - 0.7 * (seed == 1 and learning_rate == 0.1)"
    notebook.write_text(source.replace("- learning_rate\\n", f"{worse}\\n"))
    rule = {"type": "hyperband", "min_iter": 2, "eta": 2}
    parameters = {"learning_rate": {"values": [0.2, 0.3, 0.1, 0.5]}, "max_epochs": {"value": 4}}
    table = run(definition("grid", parameters, early_terminate=rule, seeds=2), workers=1, notebook=notebook)
    ended = {(row.learning_rate, row.seed): (row.status, row.epochs) for row in table.itertuples()}
    finished = dict.fromkeys([(0.2, 0), (0.2, 1), (0.3, 0), (0.3, 1), (0.1, 0)], ("finished", 4))
    assert ended == finished | {(0.1, 1): ("stopped", 2), (0.5, 0): ("stopped", 2)}
    assert sweep.best("trial")["config"]["learning_rate"] == 0.2


@pytest.mark.kernel
def test_a_hung_run_fails_and_holds_up_no_other(notebook, monkeypatch):
    source = notebook.read_text()
    notebook.write_text(source.replace('os.environ.get(\\"EPOCH\\", \\"0\\")', '\\"100\\" if layers == 2 else \\"0\\"'))
    assert notebook.read_text() != source
    table = run(definition("grid", {"layers": {"values": [2, 3]}}), timeout=10, notebook=notebook)
    assert dict(zip(table.layers, table.status, strict=True)) == {2: "failed", 3: "finished"}
    errors = [record["error"] for record in sweep.records("trial") if record["status"] == "failed"]
    assert errors == ["TimeoutError: the run took longer than 10 s"]


@pytest.mark.kernel
def test_kill_9_of_the_driver_loses_nothing_and_runs_nothing_twice(notebook):
    plan = definition(run_cap=6)
    driver = drive(notebook, plan, EPOCH="0.5")
    wait_for(lambda: len(journal("end")) >= 2 and len(journal("begin")) > len(journal("end")))
    below = kernels(driver.pid)
    driver.kill()
    driver.wait()
    wait_for(lambda: not any(process.is_running() for process in below), seconds=30)
    table = run(plan, notebook=notebook)
    assert len(table) == 6
    assert set(table.status) == {"finished"}
    assert len(journal("end")) == len(set(journal("end")))


@pytest.mark.kernel
@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT to send to another process")
def test_ctrl_c_records_what_was_running_and_leaves_no_process(notebook):
    plan = definition(run_cap=6)
    driver = drive(notebook, plan, EPOCH="30")
    wait_for(lambda: len(journal("begin")) == 2)
    below = kernels(driver.pid)
    driver.send_signal(signal.SIGINT)
    assert driver.wait(timeout=30) == 130
    assert not any(process.is_running() for process in below)
    records = sweep.records("trial")
    assert [record["status"] for record in records] == ["interrupted", "interrupted"]
    assert len(run(plan, 2, notebook=notebook)) == 2
    assert len(set(journal("begin"))) == 2


@pytest.mark.kernel
@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT to send to another process")
def test_a_cell_of_a_notebook_that_is_interrupted_shows_one_sentence(notebook, monkeypatch):
    monkeypatch.setenv("EPOCH", "30")
    manager, client = start_new_kernel(kernel_name="python3")
    try:
        plan, shown = definition(run_cap=6), []
        asked = client.execute(f"from lab.search import sweep\nsweep.run({plan!r}, notebook={str(notebook)!r})")
        wait_for(lambda: len(journal("begin")) == 2)
        manager.interrupt_kernel()
        while (message := client.get_iopub_msg(timeout=30))["content"].get("execution_state") != "idle":
            if message["parent_header"].get("msg_id") == asked:
                shown.append((message["msg_type"], message["content"]))
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    (error,) = [content for kind, content in shown if kind == "error"]
    assert error["traceback"] == ["interrupted: run this again, and it goes on from here; what has ended is kept"]
    texts = [content["text"] for kind, content in shown if kind == "stream"]
    assert not [text for text in texts if "Kernel died" in text or "Traceback" in text]
    assert [record["status"] for record in sweep.records("trial")] == ["interrupted", "interrupted"]


def test_a_target_that_is_reached_ends_the_sweep(notebook):
    fake, metric = Fake(), {"name": "validationaccuracy", "goal": "maximize", "target": 0.999}
    plan = definition("grid", {"layers": {"values": [2, 3, 4]}}, metric=metric)
    assert len(run(plan, workers=1, notebook=notebook, execute=fake)) == len(fake.ran) < 3
    assert fake.ran[-1]["layers"] == 3
    run(plan, workers=1, notebook=notebook, execute=fake)
    assert len(fake.ran) == 2


def test_links_that_lead_in_a_circle_are_no_traceback(tmp_path, monkeypatch, capsys):
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    monkeypatch.setenv("FASHION_RUNS", str(tmp_path / "circle"))
    assert command.main(["status", "trial"]) == 1
    assert "Too many levels of symbolic links" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["a/b", "x" * 300, "\x1b[31mred"])
@pytest.mark.parametrize("ask", [sweep.status, sweep.best, sweep.listing, sweep.resume])
def test_a_sweep_that_is_not_there_is_named_as_it_was_typed(ask, name):
    with pytest.raises(SweepError, match=r"^there is no sweep ") as error:
        ask(name)
    assert shown(name) in str(error.value)
    assert str(error.value).isprintable()


@pytest.mark.parametrize("name", ["a\nb", " ", "\u3000", "\x1b[31mred", "a\rb", "\u202ea"])
def test_a_name_that_cannot_be_seen_is_refused(name):
    with pytest.raises(SweepError, match="choose one that can be seen, in one line"):
        sweep.read(definition(name=name))


def test_a_sweep_file_in_another_encoding_is_told_so(tmp_path):
    (tmp_path / "sweep.yaml").write_bytes("name: été".encode("latin-1"))
    with pytest.raises(SweepError, match=r"is no text in UTF-8, from byte 6 on: save it in that encoding"):
        sweep.read(tmp_path / "sweep.yaml")
