"""A usual training script for `wandb agent`, which starts it once for each run: a configuration in, epochs logged."""

import wandb

import fashion_mnist
from nn_core import NeuralNetwork

with wandb.init() as run:
    train, validation = fashion_mnist.split(fashion_mnist.load().train, seed=0)
    for epoch in NeuralNetwork(**run.config).train(train, validation):
        run.log(epoch)
