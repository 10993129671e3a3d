"""Memory for the vectors of a network: one block for all of them, which the system can back with huge pages."""

from collections.abc import Callable

import numpy as np
from numpy import ndarray

HUGE_PAGES = 4 * 2**20  # bytes from which NumPy asks the system for huge pages, which spare address look-ups
LINE = 64  # bytes of a cache line


def carver(count: int, n: int, dtype: np.dtype) -> Callable[..., ndarray]:
    """A function that returns another vector of n zeros at each call, whatever it is given.

    The first `count` of them lie side by side in one block, each from the start of a cache line on.
    """
    line = LINE // dtype.itemsize
    stride = -(-n // line) * line
    block = np.empty(max(count * stride, HUGE_PAGES // dtype.itemsize) + line, dtype)
    block = block[-block.ctypes.data % LINE // dtype.itemsize :]
    block.fill(0)
    free = iter(range(0, count * stride, stride))

    def carve(_=None) -> ndarray:
        start = next(free, None)  # an optimizer may ask for more than it has named
        return np.zeros(n, dtype) if start is None else block[start : start + n]

    return carve
