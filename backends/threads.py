"""How many threads NumPy's BLAS uses: a second one pays for large products, and slows small ones down."""

import functools
import itertools
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

from threadpoolctl import ThreadpoolController

LARGE = 2**25  # multiplications in a product of matrices from which a second thread pays: measured on two cores

MOST = 2**10  # threads: more than any BLAS has, and no more than its interface takes


@functools.cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController().select(user_api="blas")


def allowed() -> int:
    """The threads that BLAS may use now: the number of cores, or what OPENBLAS_NUM_THREADS or the like says."""
    return max((library["num_threads"] for library in _controller().info()), default=1)


def choose(sizes: Sequence[int], batch_size: int) -> int:
    """The threads that a network of layers of these sizes, the input's first, trains fastest with: one, or all."""
    largest = batch_size * max(n_in * n_out for n_in, n_out in itertools.pairwise(sizes))
    return allowed() if largest >= LARGE else 1


def limit(threads: int) -> AbstractContextManager:
    """Let BLAS use so many threads within a `with` block, and as many as before after it.

    The number is one for the whole process, so two such blocks must not overlap in two threads of Python.
    """
    return nullcontext() if threads == allowed() else _controller().limit(limits=min(threads, MOST))
