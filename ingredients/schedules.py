"""Schedules: by what factor the learning rate is multiplied in each step of a training.

To add one, write a function of the step, counted from 0, and of the number of steps in all, and one line in SCHEDULES.
"""

import math
from collections.abc import Callable

START, END, RISE = 1 / 25, 1e-4, 0.3  # of one_cycle: its first factor, its last of that, and the share of steps between


def constant(step: int, steps: int) -> float:
    """1."""
    return 1.0


def stairs(step: int, steps: int) -> float:
    """1, a tenth of it from half of all steps on, a hundredth from three quarters on (He et al., 2016, section 4.2)."""
    return 0.1 ** ((2 * step >= steps) + (4 * step >= 3 * steps))


def cosine(step: int, steps: int) -> float:
    """½ (1 + cos π s), with s the share of steps that are done (Loshchilov and Hutter, 2017, eq. 5, one period)."""
    return 0.5 * (1 + math.cos(math.pi * step / steps))


def one_cycle(step: int, steps: int) -> float:
    """Up from 1/25 to 1 in three tenths of all steps, then down to almost nothing, both along a cosine.

    Smith and Topin (2018) rise and fall in straight lines; this is the form that PyTorch made common.
    """
    top = RISE * steps - 1
    if step <= top:
        return START + (1 - START) * (1 - _half_wave(step / top))
    last = START * END
    return last + (1 - last) * _half_wave((step - top) / (steps - 1 - top))


def _half_wave(share: float) -> float:
    return 0.5 * (1 + math.cos(math.pi * share))


SCHEDULES: dict[str, Callable[[int, int], float]] = {
    "constant": constant,
    "step": stairs,
    "cosine": cosine,
    "one_cycle": one_cycle,
}


def warm_up(step: int, steps: float) -> float:
    """A further factor: up to 1 in a straight line over the first so many steps (Goyal et al., 2017, section 2.2)."""
    return min(1.0, (step + 1) / steps) if steps else 1.0
