"""Each ingredient beside PyTorch: fifty steps in float64, on the masks, mixtures and images that the network draws."""

import math

import numpy as np
import pytest

from ingredients.schedules import SCHEDULES
from ingredients_kit import CLASSES, INGREDIENTS, INPUTS, each_ingredient, examples, network, observe

WIDTHS = [17, 18]  # none smaller than the layer before: see observe
N, SIZE, EPOCHS = 75, 16, 10  # the last batch of an epoch has 11
PER_EPOCH = math.ceil(N / SIZE)
STEPS = PER_EPOCH * EPOCHS  # fifty
RATE, DECAY = 0.02, 0.05
TRAINERS = [  # loss, optimizer, its settings, PyTorch's class and settings
    ("cross_entropy", "adamw", {"epsilon": 1e-3}, "AdamW", {"eps": 1e-3}),
    ("squared_error", "nesterov", {"momentum": 0.7}, "SGD", {"momentum": 0.7, "nesterov": True}),
]


@pytest.fixture(scope="session")
def model_of(torch):
    """`model_of(net)` is the same network in PyTorch, parameters copied."""

    class Layer(torch.nn.Module):
        """A normalization's shift is the bias b_k, and its scale the gain γ_k."""

        def __init__(self, W, b, gain, normalization):
            super().__init__()
            self.linear = torch.nn.Linear(*W.T.shape, bias=normalization == "none")
            self.norm = {
                "none": lambda n: torch.nn.Identity(), "batch": torch.nn.BatchNorm1d, "layer": torch.nn.LayerNorm
            }[normalization](len(W))  # fmt: skip
            self.shifted = self.linear if normalization == "none" else self.norm
            self.linear.weight.data = torch.from_numpy(W.copy())
            self.shifted.bias.data = torch.from_numpy(b.copy())
            if gain is not None:
                self.norm.weight.data = torch.from_numpy(gain.copy())

        def forward(self, x):
            return self.norm(self.linear(x))

    class Model(torch.nn.Module):
        def __init__(self, net):
            super().__init__()
            kind, last = net.config["normalization"], len(net.weights)
            self.layers = torch.nn.ModuleList(
                Layer(W, net.biases[k], net.gains.get(k), kind if k < last else "none") for k, W in net.weights.items()
            )

        def forward(self, x, masks=None):
            for k, layer in enumerate(self.layers[:-1]):
                x = torch.nn.functional.gelu(layer(x), approximate="tanh")
                if masks is not None:
                    x = x * torch.from_numpy(masks[k])
            return self.layers[-1](x)

    return Model


def pairs(net, model):
    """Each W_k, b_k and γ_k of the network beside the model's."""
    for k, layer in enumerate(model.layers, 1):
        yield net.weights[k], layer.linear.weight
        yield net.biases[k], layer.shifted.bias
        if k in net.gains:
            yield net.gains[k], layer.norm.weight


def scheduler(torch, optimizer, steps, per_epoch, schedule="constant", warmup=0.0, **_):
    """PyTorch's own schedule, or two of them one on top of the other."""
    kinds = torch.optim.lr_scheduler
    rate = optimizer.param_groups[0]["lr"]
    first = []
    if warmup:
        over = warmup * per_epoch
        first.append(kinds.LinearLR(optimizer, 1 / over, 1.0, total_iters=over - 1))
    if schedule == "step":
        first.append(kinds.MultiStepLR(optimizer, [math.ceil(steps / 2), math.ceil(steps * 3 / 4)], gamma=0.1))
    elif schedule == "cosine":
        first.append(kinds.CosineAnnealingLR(optimizer, T_max=steps))
    elif schedule == "one_cycle":
        first.append(
            kinds.OneCycleLR(
                optimizer, rate, total_steps=steps, pct_start=0.3, div_factor=25, final_div_factor=1e4,
                anneal_strategy="cos", cycle_momentum=False,
            )
        )  # fmt: skip
    return first


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 7, 10, 50, 999])
@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules_against_pytorch(name, steps, torch):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = scheduler(torch, optimizer, steps, 1, schedule=name)
    for step in range(steps):
        assert SCHEDULES[name](step, steps) == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-9, abs=1e-13)
        optimizer.step()
        for one in theirs if step < steps - 1 else ():
            one.step()


def average_of(torch, model, averaging="none", **_):
    """PyTorch's average of the model's parameters, and the steps, counted from 1, after which it takes them in."""
    swa = torch.optim.swa_utils
    if averaging == "exponential":  # PyTorch's has no correction of its start: so it is given the weights that have it
        return swa.AveragedModel(model, avg_fn=lambda mean, now, n: mean + (now - mean) * (1 - 0.999) / (
            1 - 0.999 ** (n + 1)
        )), range(1, STEPS + 1)  # fmt: skip
    if averaging == "last":  # epochs 8, 9 and 10 end in the last quarter
        return swa.AveragedModel(model), (40, 45, 50)
    return model, ()


def train(torch, model, optimizer, config, labels, steps):
    """Train `model` by the steps that were observed. Returns each batch's loss without a penalty, with it, and the
    average of the models."""
    cross_entropy = torch.nn.CrossEntropyLoss(label_smoothing=config.get("label_smoothing", 0.0))
    schedules = scheduler(torch, optimizer, STEPS, PER_EPOCH, **config)
    average, after = average_of(torch, model, **config)
    losses = []
    for t, step in enumerate(steps, 1):
        y = torch.from_numpy(step.y @ np.eye(CLASSES)[labels])
        outputs = model(torch.from_numpy(step.x), step.masks)
        if config["loss"] == "squared_error":
            y = y.lerp(torch.full_like(y, 1 / CLASSES), cross_entropy.label_smoothing)
            loss = (torch.softmax(outputs, 1) - y).square().sum(1).mean()
        else:
            loss = cross_entropy(outputs, y)
        penalty = sum(layer.linear.weight.detach().square().sum().item() for layer in model.layers) / 2
        losses.append((loss.item(), penalty))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        for schedule in schedules if t < STEPS else ():
            schedule.step()
        if t in after:
            average.update_parameters(model)
    return losses, average


@pytest.mark.parametrize(("loss", "optimizer", "settings", "kind", "torch_settings"), TRAINERS)
@each_ingredient
def test_fifty_steps_against_pytorch(name, loss, optimizer, settings, kind, torch_settings, torch, model_of):
    """Losses, parameters, and what the network says in the end, by the average where there is one."""
    config = INGREDIENTS[name] | dict(
        inputs=INPUTS, num_hidden_neurons=WIDTHS, activation="gelu", batch_size=SIZE, max_epochs=EPOCHS, loss=loss,
        dtype="float64", seed=4,
    )  # fmt: skip
    images, labels = examples(N)
    steps = observe(config, images)
    net = network(**config, optimizer=optimizer, learning_rate=RATE, weight_decay=DECAY, **settings)
    model = model_of(net)
    ours = [record["loss"] for record in net.train((images, labels))]

    weights = [layer.linear.weight for layer in model.layers]
    rest = [parameter for parameter in model.parameters() if all(parameter is not W for W in weights)]
    groups = [{"params": weights, "weight_decay": DECAY}, {"params": rest, "weight_decay": 0.0}]
    oracle = getattr(torch.optim, kind)(groups, lr=RATE, **torch_settings)
    losses, average = train(torch, model, oracle, config, labels, steps)

    l2 = 0 if optimizer == "adamw" else DECAY
    theirs = [(loss + l2 * penalty) * len(step.x) / N for (loss, penalty), step in zip(losses, steps, strict=True)]
    np.testing.assert_allclose(ours, np.reshape(theirs, (EPOCHS, PER_EPOCH)).sum(axis=1), rtol=1e-9)
    for a, b in pairs(net, model):
        b = b.detach().numpy()
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-9 * np.abs(b).max())
    x = torch.from_numpy(images / 255)
    if average is not model:
        torch.optim.swa_utils.update_bn([x], average)
    expected = torch.softmax(average.eval()(x), 1).detach()
    np.testing.assert_allclose(net.predict_proba(images), expected, rtol=1e-9)


def test_each_ingredient_of_the_kit_is_one_that_changes_something():
    """Or the comparison above would be one of nothing with nothing."""
    plain = network(max_epochs=8)
    list(plain.train(examples()))
    for name, ingredient in INGREDIENTS.items():
        net = network(**ingredient, max_epochs=8)
        list(net.train(examples()))
        assert not np.array_equal(net.predict_proba(examples()[0]), plain.predict_proba(examples()[0])), name
