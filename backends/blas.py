"""NumPy's own BLAS, by its symbols in C: for compiled steps, whose products need no call from Python.

Any other library would round otherwise, and bring a second pool of threads.
"""

import ctypes
import functools
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
from threadpoolctl import threadpool_info

SMALL = {"SkylakeX": 10**6}  # OpenBLAS's kernels for small products: processor -> multiplications, at most
PATTERNS = ("scipy_cblas_{}64_", "cblas_{}64_", "cblas_{}")  # NumPy's wheels, 64-bit OpenBLAS, all others
ROW_MAJOR, COLUMN_MAJOR, AS_IT_IS, TRANSPOSED = 101, 102, 111, 112  # of cblas.h


class Blas(NamedTuple):
    """Addresses of functions of CBLAS: products of two matrices, and of a matrix and a vector, in float32.

    `small` multiplications are so few that a product has a kernel of its own; 0 if there is none.
    """

    sgemm: int
    sgemv: int
    small: int = 0


@functools.cache
def find() -> Blas | None:
    """The library that NumPy uses; None if it is not certain which that is, or if it has no such symbols.

    Integers are handed to it as 64-bit ones. A library that expects 32 reads the lower halves of registers and of
    slots on the stack, wherever a number starts with its lowest byte; `_multiplies` tries it.
    """
    libraries = {one["filepath"]: one.get("architecture") for one in threadpool_info() if one["user_api"] == "blas"}
    beside = Path(np.__file__).parent
    numpys = [path for path in libraries if Path(path).parent in (beside.with_name("numpy.libs"), beside / ".dylibs")]
    for path in numpys or libraries if len(libraries) == 1 or numpys else ():
        library = ctypes.CDLL(path)
        for pattern in PATTERNS:
            names = [pattern.format(name) for name in ("sgemm", "sgemv")]
            if all(hasattr(library, name) for name in names):
                addresses = [ctypes.cast(getattr(library, name), ctypes.c_void_p).value for name in names]
                blas = Blas(*addresses, SMALL.get(libraries[path], 0))
                return blas if sys.byteorder == "little" and _multiplies(blas) else None
    return None


def _multiplies(blas: Blas) -> bool:
    """Whether a product of two small matrices comes out right."""
    i, n, f, p = ctypes.c_int32, ctypes.c_int64, ctypes.c_float, ctypes.c_void_p
    a, b, c = np.arange(6, dtype="f4").reshape(2, 3), np.arange(12, dtype="f4").reshape(3, 4), np.zeros((2, 4), "f4")
    multiply = ctypes.CFUNCTYPE(None, i, i, i, n, n, n, f, p, n, p, n, f, p, n)(blas.sgemm)
    multiply(ROW_MAJOR, AS_IT_IS, AS_IT_IS, 2, 4, 3, 1, a.ctypes.data, 3, b.ctypes.data, 4, 0, c.ctypes.data, 4)
    return np.array_equal(c, a.dot(b))
