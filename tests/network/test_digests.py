"""The numbers that seeds have always led to: no change of structure may move them by a bit.

`digests.json` holds, for each backend and network, the losses of two epochs and a digest of them and of the parameters
after. Bits depend on the processor's kernels and on NumPy, so they are compared where these are the ones on file, and
the losses everywhere, within rounding. `python tests/test_digests.py` adds what this machine computes.
"""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from nn_core import NeuralNetwork

FILE = Path(__file__).with_name("digests.json")
EXPECTED = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
OPTIMIZERS = ("sgd", "mgd", "nag", "rmsprop", "adam", "nadam", "adamw")
NETWORKS = {
    **{f"{name}": dict(optimizer=name, activation="tanh", weight_decay=0.0005) for name in OPTIMIZERS},
    **{
        f"{name}, sgd": dict(optimizer="sgd", activation=name, initializer="he", learning_rate=0.002)
        for name in ("identity", "sigmoid", "relu", "leaky_relu", "elu", "gelu", "silu")
    },
    "squared error": dict(loss="squared_error", optimizer="adam", initializer="random", layers=1),
    "products in pieces": dict(num_hidden_neurons=128, layers=3, batch_size=64, optimizer="sgd", activation="relu"),
    "no decay, uneven batches": dict(batch_size=64, optimizer="nag", activation="sigmoid", learning_rate=0.02),
}


def machine():
    """What decides the last bits: NumPy, its BLAS kernels, its own vector instructions, and numba."""
    import llvmlite.binding
    import numba

    blas = sorted({library["architecture"] for library in threadpool_info() if library["user_api"] == "blas"})
    instructions = np.show_config("dicts")["SIMD Extensions"]["found"]
    processor = llvmlite.binding.get_host_cpu_name()
    return f"{processor}, numpy {np.__version__}, {' '.join(blas)}, {instructions[-1]}, numba {numba.__version__}"


def train(backend, **config):
    rng = np.random.default_rng(5)
    images = rng.integers(0, 256, (600, 784), np.uint8)
    labels = (images[:, :10] * np.arange(1, 11)).argmax(axis=1)
    net = NeuralNetwork(
        **dict(layers=2, num_hidden_neurons=32, seed=3, max_epochs=2, backend=backend, threads=1) | config
    )
    records = list(net.train((images[:500], labels[:500]), (images[500:], labels[500:])))
    losses = [record[key] for record in records for key in ("loss", "validationloss")]
    digest = hashlib.sha256(" ".join(map(float.hex, losses)).encode() + net.theta.tobytes()).hexdigest()[:16]
    return losses, digest


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("name", NETWORKS)
def test_a_seed_leads_where_it_always_has(name, backend):
    losses, digest = train(backend, **NETWORKS[name])
    expected = EXPECTED[f"{backend}: {name}"]
    np.testing.assert_allclose(losses, expected["losses"], rtol=1e-4)
    if machine() in expected["digests"]:
        assert digest == expected["digests"][machine()]


def test_every_network_is_on_file():
    assert EXPECTED.keys() == {f"{backend}: {name}" for backend in ("numpy", "numba") for name in NETWORKS}


if __name__ == "__main__":
    for backend in ("numpy", "numba"):
        for name, config in NETWORKS.items():
            losses, digest = train(backend, **config)
            entry = EXPECTED.setdefault(f"{backend}: {name}", {"losses": losses, "digests": {}})
            entry["digests"][machine()] = digest
    FILE.write_text(json.dumps(EXPECTED, indent=1) + "\n", encoding="utf-8")
