"""The winner of `make far` in PyTorch: the same recipe, written as one who knows PyTorch would write it.

    python benchmarks/twin.py

Trains on all training images, shows each network the test images as ours are shown them, and adds a row to
tables/how_far_twin.csv. It goes on with the seeds that the table lacks, two at a time, a thread each. What changes
images is ours (ingredients/augmentation.py), and so are the factors of a schedule; all else is PyTorch's own.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from joblib import Parallel, delayed
from numpy import ndarray
from torch import nn
from torch.optim.swa_utils import AveragedModel

import fashion_mnist
from common.files import write_whole
from ingredients.augmentation import AUGMENTATIONS, mirror_images
from ingredients.averaging import DECAY
from ingredients.recipe import MEASURED
from ingredients.schedules import SCHEDULES, warm_up
from lab.far import final, records, scouting, twins

SEEDS = (1, 2, 3)
FIXED = {  # what a recipe must say of these; the rest may vary
    "activation": "gelu",
    "initializer": "he",
    "normalization": "batch",
    "optimizer": "adamw",
    "averaging": "exponential",
}
VARIED = ("layers", "num_hidden_neurons", "batch_size", "max_epochs", "learning_rate", "weight_decay", "schedule")
MAYBE = {
    "warmup": 0, "dropout": 0.0, "input_dropout": 0.0, "label_smoothing": 0.0, "mixup": 0.0, "augmentation": "none"
}  # fmt: skip
SIZE, CLASSES = 784, 10


def complete(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """A recipe with all that it leaves out. Raises ValueError for what is not written here."""
    for name, value in recipe.items():
        if name not in (*FIXED, *VARIED, *MAYBE) or value != FIXED.get(name, value):
            raise ValueError(f"{name}={value!r} is not written in PyTorch here: see FIXED in benchmarks/twin.py")
    if lacking := [name for name in (*FIXED, *VARIED) if name not in recipe]:
        raise ValueError(f"a recipe without {', '.join(lacking)} is not written in PyTorch here")
    return MAYBE | dict(recipe)


class Twin:
    """A network of a recipe and its training, on images (n, 784) in uint8 and labels (n,)."""

    def __init__(self, recipe: Mapping[str, Any], images: ndarray, labels: ndarray, seed: int) -> None:
        torch.manual_seed(seed)
        self.recipe, self.rng = complete(recipe), np.random.default_rng(seed)
        self.images, self.labels = images, torch.from_numpy(labels.astype(np.int64))
        names = self.recipe["augmentation"]
        chosen = (AUGMENTATIONS[name] for name in ([names] if isinstance(names, str) else names))
        self.augmentations = [function for function in chosen if function]
        self.model = self._model()
        matrices, rest = ([p for p in self.model.parameters() if (p.ndim == 2) == two] for two in (True, False))
        groups = [{"params": matrices, "weight_decay": recipe["weight_decay"]}, {"params": rest, "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW(groups, lr=recipe["learning_rate"], fused=True)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimizer, self._factor)
        self.average = AveragedModel(self.model, avg_fn=unbiased)

    def _model(self) -> nn.Sequential:
        recipe, modules = self.recipe, []
        sizes = [SIZE, *[recipe["num_hidden_neurons"]] * recipe["layers"]]
        for n_in, n_out in pairwise(sizes):
            modules += [nn.Linear(n_in, n_out, bias=False), nn.BatchNorm1d(n_out), nn.GELU("tanh")]
            modules += [nn.Dropout(recipe["dropout"])]
        model = nn.Sequential(nn.Dropout(recipe["input_dropout"]), *modules, nn.Linear(sizes[-1], CLASSES)).float()
        for module in model:
            if isinstance(module, nn.Linear):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")  # He's, with fan in
        nn.init.zeros_(model[-1].bias)
        return model

    def _factor(self, step: int) -> float:
        per_epoch = -(-len(self.labels) // self.recipe["batch_size"])
        total, schedule = per_epoch * self.recipe["max_epochs"], SCHEDULES[self.recipe["schedule"]]
        return schedule(min(step, total - 1), total) * warm_up(step, self.recipe["warmup"] * per_epoch)

    def train(self) -> None:
        """All epochs, and the statistics of the averaged network."""
        for _ in range(self.recipe["max_epochs"]):
            for rows in torch.randperm(len(self.labels)).split(self.recipe["batch_size"]):
                self.step(rows)
        self.measure()

    def step(self, rows: torch.Tensor) -> float:
        """One on the images of these rows; returns its loss."""
        x, y = self._mixed(self._augmented(rows), nn.functional.one_hot(self.labels[rows], CLASSES).float())
        loss = nn.functional.cross_entropy(self.model(x), y, label_smoothing=self.recipe["label_smoothing"])
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.schedule.step()
        self.average.update_parameters(self.model)
        return loss.item()

    def _augmented(self, rows: torch.Tensor) -> torch.Tensor:
        images = self.images[rows.numpy()]
        for augment in self.augmentations:
            augment(images.reshape(-1, 28, 28), self.rng)
        return self._pixels(images)

    def _mixed(self, x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        if not self.recipe["mixup"]:
            return x, y
        share, others = self.rng.beta(self.recipe["mixup"], self.recipe["mixup"]), torch.randperm(len(x))
        return x[others].lerp(x, share), y[others].lerp(y, share)

    def measure(self) -> None:
        """Give the averaged network the statistics that belong to its weights, without dropout, as ours are measured:
        `update_bn` of PyTorch would leave it on."""
        self.average.eval()
        for module in self.average.modules():
            if isinstance(module, nn.BatchNorm1d):
                module.reset_running_stats()
                module.momentum = None  # all that is measured counts alike
                module.train()
        with torch.inference_mode():
            self.average(self._pixels(self.images[self.rng.permutation(len(self.images))[:MEASURED]]))
        self.average.eval()

    @staticmethod
    def _pixels(images: ndarray) -> torch.Tensor:
        return torch.from_numpy(images).float() / 255

    def predict_proba(self, images: ndarray, mirrored: bool = False) -> ndarray:
        """As `NeuralNetwork.predict_proba`, by the averaged network."""
        with torch.inference_mode():
            probabilities = torch.softmax(self.average(self._pixels(images)), dim=1).numpy()
        return (probabilities + self.predict_proba(mirror_images(images))) / 2 if mirrored else probabilities


def unbiased(mean: torch.Tensor, now: torch.Tensor, count: torch.Tensor) -> torch.Tensor:
    """The exponential average without bias to its start, as ours is; `count` is how many there were before."""
    return mean + (now - mean) * ((1 - DECAY) / (1 - DECAY ** (count + 1)))


def tested(recipe: Mapping[str, Any], seed: int) -> list[Any]:
    """Train one, on one thread; returns its row of the table."""
    torch.set_num_threads(1)
    start, train = time.perf_counter(), fashion_mnist.load().train
    twin = Twin(recipe, np.asarray(train.images), train.labels, seed)
    twin.train()
    minutes = (time.perf_counter() - start) / 60
    said = final.probabilities(twin.predict_proba, recipe).argmax(axis=1)
    accuracy = float(np.mean(said == final.images_and_labels().labels))
    return [records.key(recipe), seed, accuracy, round(minutes, 1), torch.__version__]


def compute(recipe: Mapping[str, Any], seeds: Sequence[int] = SEEDS, path: Path = twins.TABLE) -> None:
    """Train what the table lacks of a recipe; it is written after each network."""
    there = set(twins.of(records.key(recipe), path)["seed"])
    lacking = [seed for seed in seeds if seed not in there]
    for row in Parallel(2, return_as="generator_unordered")(delayed(tested)(recipe, seed) for seed in lacking):
        table = pd.concat([twins.load(path), pd.DataFrame([row], columns=twins.COLUMNS)])
        write_whole(path, table.sort_values(["recipe", "seed"]).to_csv(index=False, lineterminator="\n"))
        print(f"seed {row[1]}: {row[2]:.2%} of the test images, {row[3]:.0f} minutes", flush=True)


if __name__ == "__main__":
    if (recipe := scouting.winner(records.load())) is None:
        sys.exit("There is no winner yet: `make far` finds it.")
    compute(recipe)
