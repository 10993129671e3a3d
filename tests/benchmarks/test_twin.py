"""The winner's recipe in PyTorch: it is the same recipe, and its table goes on where it was stopped."""

import numpy as np
import pandas as pd
import pytest

from lab.far import records, scouting, twins
from nn_core import NeuralNetwork

RECIPE = {
    "layers": 2, "num_hidden_neurons": 24, "activation": "gelu", "initializer": "he", "normalization": "batch",
    "batch_size": 90, "optimizer": "adamw", "max_epochs": 6, "schedule": "cosine", "warmup": 1,
    "learning_rate": 0.003, "weight_decay": 0.1, "label_smoothing": 0.1, "averaging": "exponential",
}  # fmt: skip


@pytest.fixture
def twin(torch):
    import twin  # here, since it imports PyTorch

    return twin


def toy(n=90):
    """Images of ten classes, each a pattern of its own under noise."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 10, n)
    patterns = rng.integers(0, 256, (10, 784))
    return (0.6 * patterns[labels] + 0.4 * rng.integers(0, 256, (n, 784))).astype(np.uint8), labels


def test_from_the_same_weights_it_says_the_same_as_our_network(twin, torch):
    """One batch an epoch, and nothing that is drawn: so there is no order of examples, and no luck."""
    images, labels = toy()
    ours, theirs = NeuralNetwork(**RECIPE, backend="numpy"), twin.Twin(RECIPE, images, labels, seed=1)
    linear = [module for module in theirs.model if isinstance(module, torch.nn.Linear)]
    with torch.no_grad():
        for k, module in enumerate(linear, 1):
            module.weight.copy_(torch.from_numpy(np.ascontiguousarray(ours.weights[k])))
    list(ours.train((images, labels)))
    theirs.train()
    for mirrored in (False, True):
        said = theirs.predict_proba(images, mirrored=mirrored)
        np.testing.assert_allclose(said, ours.predict_proba(images, mirrored), atol=2e-4)
    assert not np.allclose(ours.predict_proba(images), 0.1, atol=0.05)  # they have learnt something


@pytest.mark.parametrize(
    "more",
    [
        {"dropout": 0.3, "input_dropout": 0.1, "mixup": 0.2, "augmentation": "mirror"},
        {"augmentation": ["mirror", "shift", "erase"]},
    ],
    ids=["drawn", "augmented"],
)
def test_it_learns_with_all_that_is_drawn_and_a_seed_decides(more, twin):
    images, labels = toy(600)
    recipe = RECIPE | {"batch_size": 50, "max_epochs": 12} | more
    found = []
    for seed in (1, 1, 2):
        one = twin.Twin(recipe, images, labels, seed)
        one.train()
        found.append(one.predict_proba(images))
    assert np.mean(found[0].argmax(axis=1) == labels) > 0.6  # guessing: 0.1
    assert np.array_equal(found[0], found[1])
    assert not np.array_equal(found[0], found[2])


def test_its_initial_weights_are_drawn_as_ours(twin):
    images, labels = toy()
    wide = RECIPE | {"num_hidden_neurons": 512}
    theirs, ours = twin.Twin(wide, images, labels, 1), NeuralNetwork(**wide)
    weights = [p.detach().numpy() for p in theirs.model.parameters() if p.ndim == 2]
    for k, W in enumerate(weights, 1):
        assert W.shape == ours.weights[k].shape
        assert W.std() == pytest.approx(ours.weights[k].std(), rel=0.05)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [({"optimizer": "sgd"}, "optimizer='sgd' is not written in PyTorch"), ({"beta": 0.5}, "beta=0.5 is not written")],
)
def test_what_is_not_written_is_refused(change, sentence, twin):
    with pytest.raises(ValueError, match=sentence):
        twin.complete(RECIPE | change)
    with pytest.raises(ValueError, match="a recipe without layers is not written"):
        twin.complete({name: value for name, value in RECIPE.items() if name != "layers"})


def test_every_recipe_that_may_win_is_written(twin):
    for config in scouting.recipes(scouting.LONG):
        twin.complete(scouting.bare(config))


def test_it_goes_on_with_the_seeds_that_the_table_lacks(twin, tmp_path, monkeypatch):
    trained, path = [], tmp_path / "twin.csv"

    def tested(recipe, seed):
        trained.append(seed)
        if seed == 3 and trained.count(3) == 1:
            raise KeyboardInterrupt
        return [records.key(recipe), seed, 0.9 + seed / 1000, 1.5, "2.13"]

    monkeypatch.setattr(twin, "tested", tested)
    monkeypatch.setattr(twin, "Parallel", lambda *_, **__: lambda jobs: (run(*given) for run, given, _ in jobs))
    with pytest.raises(KeyboardInterrupt):
        twin.compute(RECIPE, (1, 2, 3), path)
    twin.compute(RECIPE, (1, 2, 3), path)
    assert trained == [1, 2, 3, 3]
    twin.compute(RECIPE | {"layers": 3}, (1,), path)
    found = twins.of(records.key(RECIPE), path)
    assert found["seed"].tolist() == [1, 2, 3]
    assert found["accuracy"].tolist() == pytest.approx([0.901, 0.902, 0.903])
    assert len(pd.read_csv(path)) == 4
