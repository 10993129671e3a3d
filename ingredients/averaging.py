"""Averaging of weights: a network answers with the mean of the parameters that its training went through.

To add one, write such a class and one line in AVERAGINGS.
"""

import numpy as np
from numpy import ndarray

DECAY = 0.999  # of exponential, a step
LAST = 0.25  # of all epochs, those that last averages


class Average:
    """The mean θ̄ (n,) of `count` vectors so far."""

    each_step = False  # whether `after_step` does anything

    def __init__(self, theta: ndarray):
        self.theta, self.count = np.zeros_like(theta), 0

    def after_step(self, theta: ndarray) -> None:
        """Take in the parameters after a step."""

    def after_epoch(self, theta: ndarray, epoch: int, epochs: int) -> None:
        """Take in the parameters after this epoch, counted from 1, of so many."""

    def _take(self, theta: ndarray, share: float) -> None:
        self.count += 1
        change = theta - self.theta
        change *= share
        self.theta += change


class Exponential(Average):
    """θ̄ ← β θ̄ + (1 - β) θ after each step (Polyak and Juditsky, 1992, discounted), without bias to its start.

    The bias is taken out as Kingma and Ba do (2015, section 3): θ̄ ← θ̄ + (θ - θ̄) (1 - β) / (1 - βᵗ).
    """

    each_step = True

    def after_step(self, theta):
        self._take(theta, (1 - DECAY) / (1 - DECAY ** (self.count + 1)))


class Last(Average):
    """The plain mean over the ends of the last epochs (Izmailov et al., 2018, algorithm 1)."""

    def after_epoch(self, theta, epoch, epochs):
        if epoch > (1 - LAST) * epochs:
            self._take(theta, 1 / (self.count + 1))


AVERAGINGS: dict[str, type[Average] | None] = {"none": None, "exponential": Exponential, "last": Last}
