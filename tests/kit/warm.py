"""Compiles numba's kernels, which takes ten seconds: each of several workers would, if all began at once.

python tests/kit/warm.py
"""

import numpy as np

from nn_core import NeuralNetwork

images, labels = np.zeros((64, 784), np.uint8), np.arange(64) % 10
for ingredients in ({}, {"activation": "gelu", "normalization": "batch", "dropout": 0.5}):  # the whole step, and passes
    net = NeuralNetwork(max_epochs=1, **ingredients)
    list(net.train((images, labels), (images, labels)))
