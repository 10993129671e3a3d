"""How a step is computed: in plain NumPy (`plain`), or by kernels that numba compiles (`compiled`, `kernels`, `blas`).

`nn_core` has the network and its gradients, and asks a backend for all in a step that is no product of matrices. A
backend is a class such as `Plain`, which has everything; one that derives from it need have only what it does faster.
`folded` holds faster forms of optimizers, `memory` the block in which all vectors lie, and `threads` chooses how many
threads BLAS uses.
"""

import warnings
from importlib import import_module

import numpy as np

from backends.plain import Plain

NAMES = ("auto", "numpy", "numba")


def choose(name: str, dtype: np.dtype) -> type[Plain]:
    """The backend of this name; for "auto", and for what numba's has no kernels for, the best one that there is.

    Raises:
        ValueError: if numba is asked for by name and cannot be imported.
    """
    if name == "numpy" or dtype != np.float32:
        return Plain
    try:
        import_module("numba")  # here, since it takes longer to import than all the rest
    except Exception as error:  # a broken installation raises almost anything
        if name == "numba":
            raise ValueError(f"backend='numba': it cannot be imported ({error}): install numba.") from error
        if not isinstance(error, ModuleNotFoundError):
            warnings.warn(f"numba is installed and cannot be imported ({error}): training is slower.", stacklevel=2)
        return Plain
    from backends.compiled import Compiled

    return Compiled
