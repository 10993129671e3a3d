"""A confirmation: the best are run again with further seeds, and the mean decides."""

import numpy as np
import pytest

from common.files import read_json, write_json
from lab.search import command, confirming, sweep
from lab.search.check import check
from lab.search.confirmation import Confirmation, confirmation
from sweep_kit import Fake, definition, run

pytestmark = pytest.mark.usefixtures("place")
SPACE = {"layers": {"values": [1, 2, 3, 4]}, "activation": {"value": "TANH"}}
WORTH = {1: 0.90, 2: 0.80, 3: 0.85, 4: 0.10}  # with the first seed
OTHERS = {1: 0.60, 2: 0.82, 3: 0.81, 4: 0.99}  # with any other; 4 is never looked at


class Lucky(Fake):
    """Configuration 1 is lucky with its first seed; by the mean, 2 and 3 are better."""

    def __call__(self, notebook, output, parameters, timeout, hear):
        super().__call__(notebook, output, parameters, timeout, hear)
        path = output.parent / "record.json"
        record, seed = read_json(path), parameters.get("seed", 0)
        worth = (OTHERS if seed else WORTH)[parameters["layers"]]
        write_json(path, record | {"history": [record["history"][0] | {"validationaccuracy": worth}]})


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ("five", "confirm must be best and seeds, such as {best: 5, seeds: 5}, not 'five'"),
        ({"best": 5, "seed": 5}, "confirm must be best and seeds"),
        ({"best": 0}, "best of confirm must be a whole number, from 1 to 1000, not 0"),
        ({"seeds": 1}, "seeds of confirm must be a whole number, from 2 to 1000, not 1"),
        ("3x1", "seeds of confirm must be a whole number, from 2 to 1000, not 1"),
        ({"best": True}, "best of confirm must be a whole number"),
    ],
)
def test_what_it_cannot_mean_is_a_sentence(entry, sentence):
    with pytest.raises(sweep.SweepError) as refusal:
        confirmation(entry)
    assert sentence in str(refusal.value)


def test_what_it_means():
    assert confirmation({}) == Confirmation(5, 5)
    assert confirmation("3x8") == confirmation({"best": 3, "seeds": 8}) == Confirmation(3, 8)
    assert confirmation(None) is None
    assert sweep.read(definition(confirm={"best": 2, "seeds": 3})).confirm == Confirmation(2, 3)
    assert sweep.read(definition()).confirm is None


def test_the_mean_over_further_seeds_decides(notebook, capsys):
    plan, fake = definition("grid", SPACE, confirm={"best": 3, "seeds": 3}), Lucky()
    table = run(plan, notebook=notebook, execute=fake)
    assert len(table) == 4  # the sweep's own
    again = [(config["layers"], config["seed"]) for config in fake.ran[4:]]
    assert sorted(again) == [(k, seed) for k in (1, 2, 3) for seed in (1, 2)]  # the first has run in the sweep
    assert [result.config["layers"] for result in sweep.confirmed("trial")] == [3, 2, 1]
    assert (
        "the best 3 confirmed by 3 seeds: best mean validationaccuracy 0.8233, another than" in capsys.readouterr().out
    )


def test_all_that_asks_for_the_best_gets_what_was_confirmed(notebook, capsys):
    plan = definition("grid", SPACE)
    run(plan, notebook=notebook, execute=Lucky())
    assert sweep.best("trial")["config"]["layers"] == 1
    assert "confirmed" not in sweep.status("trial")
    run(plan | {"confirm": {"best": 3, "seeds": 3}}, notebook=notebook, execute=Lucky())
    assert sweep.choice("trial") == sweep.best("trial")
    assert sweep.best("trial")["config"]["layers"] == 3
    name = sweep.best("trial")["name"]
    assert sweep.status("trial").endswith(f"; confirmed by 3 seeds: mean 0.8233, {name}")
    capsys.readouterr()
    assert command.main(["best", "trial"]) == 0
    assert f'"name": "{name}"' in capsys.readouterr().out


def test_the_best_of_several_sweeps_is_asked_for_together(notebook, capsys):
    run(definition("grid", SPACE), notebook=notebook, execute=Lucky())
    other = definition("grid", {"layers": {"value": 2}, "activation": {"value": "RELU"}}, name="other")
    run(other, notebook=notebook, execute=Lucky())
    capsys.readouterr()
    assert command.main(["best", "other", "trial"]) == 0
    assert '"layers": 1' in capsys.readouterr().out


def test_what_is_minimized_is_placed_and_judged_by_its_goal(notebook, capsys):
    plan = definition("grid", SPACE, metric={"name": "validationaccuracy", "goal": "minimize"})
    run(plan | {"confirm": {"best": 3, "seeds": 3}}, notebook=notebook, execute=Lucky())
    confirmation = sweep.confirmed("trial")
    assert [result.config["layers"] for result in confirmation] == [4, 2, 3]  # means 0.693, 0.813 and 0.823
    assert "which was best by its first seed too" in capsys.readouterr().out
    assert confirming.table_of(confirmation, "validationaccuracy", "minimize")["place"].tolist() == [1, 2, 3]


def test_its_progress_and_its_state_are_of_the_sweeps_own_metric(notebook, capsys):
    """With a loss to be minimized: 0.9 and 0.85 by the first seed, 0.6 and 0.81 by the other."""

    class Losing(Lucky):
        def __call__(self, notebook, output, parameters, timeout, hear):
            super().__call__(notebook, output, parameters, timeout, hear)
            path = output.parent / "record.json"
            record = read_json(path)
            worth = record["history"][0].pop("validationaccuracy")
            write_json(path, record | {"history": [record["history"][0] | {"validationloss": worth}]})

    metric = {"name": "validationloss", "goal": "minimize"}
    parameters = SPACE | {"layers": {"values": [1, 3]}}
    plan = definition("grid", parameters, metric=metric, confirm={"best": 2, "seeds": 2})
    run(plan, workers=1, notebook=notebook, execute=Losing())
    said = [line for line in capsys.readouterr().out.splitlines() if "_se_1" in line]
    assert [line.split(" · ")[1] for line in said] == ["validationloss 0.8100", "validationloss 0.6000"]
    assert [line.split(" · ")[3] for line in said] == ["best 0.8100", "best 0.6000"]
    assert sweep.status("trial-confirmed").endswith("best validationloss 0.6000: " + said[1].split(" · ")[-1])


def test_its_table_has_the_first_seed_beside_the_mean_and_its_interval(notebook):
    run(definition("grid", SPACE, confirm={"best": 2, "seeds": 3}), notebook=notebook, execute=Lucky())
    rows = confirming.table_of(sweep.confirmed("trial"), "validationaccuracy", "maximize")
    assert rows["layers"].tolist() == [3, 1]
    assert rows["place"].tolist() == [2, 1]
    assert rows["first"].tolist() == [0.85, 0.90]
    assert rows["mean"].tolist() == pytest.approx([(0.85 + 2 * 0.81) / 3, 0.7])
    deviation = np.std([0.85, 0.81, 0.81], ddof=1)
    half = 4.302653 * deviation / 3**0.5  # Student's t with two degrees of freedom, from a table
    assert (rows["high"] - rows["mean"])[0] == pytest.approx(half, rel=1e-6)
    assert "seed" not in rows


def test_what_has_run_is_not_run_again(notebook):
    fake, plan = Lucky(), definition("grid", SPACE, confirm={"best": 2, "seeds": 2})
    run(plan, notebook=notebook, execute=fake)
    run(plan, notebook=notebook, execute=fake)
    assert len(fake.ran) == 4 + 2


def test_the_best_of_several_sweeps_are_confirmed_together(notebook):
    run(definition("grid", SPACE), notebook=notebook, execute=Lucky())
    parts = definition("random", SPACE, name="next", run_cap=4)
    with pytest.raises(sweep.SweepError, match="nothing to run"):
        run(parts, after=["trial"], notebook=notebook, execute=Lucky())
    other = definition("grid", SPACE | {"activation": {"value": "RELU"}}, name="other")
    run(other, notebook=notebook, execute=Lucky())
    configs = confirming.candidates(["trial", "other"], 5)
    assert [config["layers"] for config in configs] == [1, 1, 3, 3, 2]


def test_one_that_the_sweep_has_overtaken_counts_no_more(notebook):
    part = {"layers": {"values": [1, 2]}, "activation": {"value": "TANH"}}
    run(definition("grid", part, confirm={"best": 1, "seeds": 2}), notebook=notebook, execute=Lucky())
    assert sweep.confirmed("trial")
    run(definition("grid", part | {"layers": {"values": [2, 3]}}), notebook=notebook, execute=Lucky())
    assert sweep.confirmed("trial") == []
    assert sweep.choice("trial")["config"]["layers"] == 3


def test_the_command_line_asks_for_it_in_place_of_the_file(notebook, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(sweep, "run", lambda *arguments, **options: asked.append(options["confirm"]))
    for words in (["--confirm"], ["--confirm", "3x4"], []):
        assert command.main(["run", str(tmp_path / "x.yaml"), *words]) == 0
    assert asked == ["5x5", "3x4", None]


def test_an_option_counts_more_than_the_file(notebook):
    fake = Lucky()
    run(definition("grid", SPACE, confirm={"best": 3, "seeds": 3}), notebook=notebook, execute=fake, confirm="1x2")
    assert len(fake.ran) == 4 + 1


def test_a_check_says_it(notebook, tmp_path):
    said = []
    check(definition("grid", SPACE, confirm={}), notebook, said.append)
    assert "the best 5 confirmed by 5 seeds" in said[0]


def test_one_that_is_damaged_is_named_and_counts_for_none(notebook, tmp_path, capsys):
    run(definition("grid", SPACE, confirm={"best": 2, "seeds": 2}), notebook=notebook, execute=Lucky())
    path = tmp_path / "runs" / "trial-confirmed" / "confirmation.json"
    write_json(path, read_json(path) | {"runs": [["../trial"]]})
    assert sweep.confirmed("trial") == []
    assert "confirmation.json is no confirmation of a sweep (runs.0.0: must be the name" in capsys.readouterr().out
    path.unlink()
    assert sweep.confirmed("trial") == []


def test_a_sweep_that_has_its_name_stays_as_it_is(notebook):
    run(definition("grid", SPACE, name="trial-confirmed"), notebook=notebook, execute=Lucky())
    with pytest.raises(sweep.SweepError, match="trial-confirmed is a sweep of its own"):
        run(definition("grid", SPACE, confirm={}), notebook=notebook, execute=Lucky())
    assert len(sweep.table("trial-confirmed")) == 4
