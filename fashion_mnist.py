"""Fashion-MNIST: find or fetch its four files, verify them, memory-map them, and split off a validation set.

`python fashion_mnist.py` fetches whatever is missing and verifies all four files byte for byte.
"""

import errno
import functools
import gzip
import hashlib
import math
import os
import shutil
import subprocess
import sys
import zlib
from dataclasses import dataclass
from numbers import Integral, Real
from pathlib import Path
from typing import NamedTuple

import numpy as np

from common.files import NotWritten, clear, content_of, require_file, whole_file
from common.sources import download, unpack_package
from common.words import root_cause, text_of

CLASS_NAMES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)


class IdxFile(NamedTuple):
    """One file of the data set, as published."""

    upstream: str  # its name, without .gz
    shape: tuple[int, ...]  # (n, 28, 28) or (n,)
    sha256: str  # of the decompressed bytes, since Debian compressed them again

    @property
    def header(self) -> bytes:
        """Two zero bytes, 8 for unsigned bytes, the number of dimensions, each dimension as a big-endian uint32."""
        return bytes([0, 0, 8, len(self.shape)]) + np.array(self.shape, dtype=">u4").tobytes()

    @property
    def flat_shape(self) -> tuple[int, ...]:
        """The shape that is kept: (n, 784) or (n,)."""
        return self.shape if len(self.shape) == 1 else (self.shape[0], math.prod(self.shape[1:]))


FILES = {
    "train-images": IdxFile(
        "train-images-idx3-ubyte",
        (60_000, 28, 28),
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    ),
    "train-labels": IdxFile(
        "train-labels-idx1-ubyte",
        (60_000,),
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    ),
    "test-images": IdxFile(
        "t10k-images-idx3-ubyte",
        (10_000, 28, 28),
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    ),
    "test-labels": IdxFile(
        "t10k-labels-idx1-ubyte",
        (10_000,),
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    ),
}

DATA = Path(__file__).resolve().parent / "data"
DEBIAN = Path("/usr/share/datasets/fashion-mnist")  # where Debian's package installs the files
DEBIAN_PACKAGE = "dataset-fashion-mnist"
SOURCES = (  # in order of trust
    "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
)

DTYPES = ("uint8", "float32")


class DataError(RuntimeError):
    """The data cannot be had or is not what it should be; the text says what was expected, what found, what to do."""


class Split(NamedTuple):
    """Images with their labels."""

    images: np.ndarray  # (n, 784) or (n, 28, 28), uint8 or float32
    labels: np.ndarray  # (n,), uint8, 0 to 9

    def first(self, limit: int | None) -> "Split":
        """The first `limit` images, or as many as there are; all for None. Raises ValueError for fewer than one."""
        if limit is not None and (not isinstance(limit, Integral) or limit < 1):
            raise ValueError(f"limit must be a whole number of images, 1 or more, or None for all, not {limit!r}")
        return Split(self.images[:limit], self.labels[:limit])


@dataclass(frozen=True)
class FashionMNIST:
    """The data set. Nothing is read, let alone fetched, before `train` or `test` is first touched."""

    folder: Path
    dtype: str
    flat: bool
    class_names = CLASS_NAMES

    @functools.cached_property
    def train(self) -> Split:
        """The 60,000 training images."""
        return self._open("train")

    @functools.cached_property
    def test(self) -> Split:
        """The 10,000 test images: for the final evaluation alone."""
        return self._open("test")

    def _open(self, part: str) -> Split:
        names = f"{part}-images", f"{part}-labels"
        images, labels = (_open_array(name, _find(name, self.folder)[0]) for name in names)
        if self.dtype == "float32":
            images = images / np.float32(255)
        return Split(images if self.flat else images.reshape(-1, 28, 28), labels)


def load(folder: str | Path | None = None, *, dtype: str = "uint8", flat: bool = True) -> FashionMNIST:
    """Fashion-MNIST from the first place that has it, fetched when none has.

    folder: looked in first, and where the verified files are kept; by default the environment variable
        FASHION_MNIST_DIR, else the project's data/.
    dtype: "uint8", 0 to 255, memory-mapped and read-only; or "float32", scaled to [0, 1], in memory.
    flat: images as (n, 784), otherwise (n, 28, 28).

    Raises ValueError for another dtype; DataError, on touching `train` or `test`, where the data cannot be had.
    """
    if dtype not in DTYPES:
        raise ValueError(f"dtype must be one of {', '.join(DTYPES)}, not {dtype!r}")
    return FashionMNIST(_home(folder), dtype, flat)


def split(data: Split, *, seed: int, fraction: float = 0.1) -> tuple[Split, Split]:
    """Shuffle `data` and set `fraction` of it aside: (training, validation), disjoint and together everything.

    The third child of `np.random.default_rng(seed)` shuffles; the other two initialise and shuffle the training.
    Raises ValueError for a seed that is no whole number >= 0, or a fraction that leaves one of the parts empty.
    """
    if not isinstance(seed, Integral) or seed < 0:
        raise ValueError(f"seed must be a whole number, 0 or more, not {seed!r}")
    if not isinstance(fraction, Real) or not 0 < fraction < 1:
        raise ValueError(f"fraction must lie between 0 and 1, both excluded, not be {fraction!r}")
    n = len(data.labels)
    held_out = round(n * fraction)
    if not 0 < held_out < n:
        raise ValueError(f"fraction {fraction} of {n} images leaves a part empty: take more images or another fraction")
    order = np.random.default_rng(seed).spawn(3)[2].permutation(n)
    training, validation = order[held_out:], order[:held_out]
    return (
        Split(data.images[training], data.labels[training]),
        Split(data.images[validation], data.labels[validation]),
    )


# Finding: a folder that has the file, else a source that serves it


def _home(folder: str | Path | None = None) -> Path:
    """The folder to look in first and to keep the files in; absolute, so that a later chdir changes nothing."""
    return Path(folder or os.environ.get("FASHION_MNIST_DIR") or DATA).expanduser().absolute()


def _find(name: str, home: Path) -> tuple[Path, str]:
    """The path of a verified .npy, and where it came from; kept in `home` when no folder had it yet."""
    upstream = FILES[name].upstream
    for folder in dict.fromkeys((home, DATA, DEBIAN)):
        kept = folder / f"{name}.npy"
        if os.path.exists(kept):
            return kept, "kept earlier"
        for path in (folder / upstream, folder / f"{upstream}.gz"):
            if os.path.exists(path):
                return _keep(_read(name, path), home / f"{name}.npy"), f"from {path}"
    array, source = _fetch(name, home)
    return _keep(array, home / f"{name}.npy"), f"from {source}"


def _fetch(name: str, home: Path) -> tuple[np.ndarray, str]:
    """The array from the first source that serves it whole, and the name of that source."""
    filename = f"{FILES[name].upstream}.gz"
    sources = {address + filename: functools.partial(download, address + filename) for address in SOURCES}
    if shutil.which("apt-get") and shutil.which("dpkg-deb"):
        package = {f"Debian's package {DEBIAN_PACKAGE}": lambda: (_unpacked() / filename).read_bytes()}
        # Once unpacked, the package needs no network: then it comes first.
        sources = package | sources if unpack_package.cache_info().currsize else sources | package

    failures = []
    for source, read in sources.items():
        print(f"Fetching {filename} from {source.removesuffix(filename)}", file=sys.stderr)
        try:
            return _decode(name, read()), source
        except (OSError, ValueError, subprocess.SubprocessError) as error:  # OSError: the base of those of requests
            failures.append(f"{source} ({root_cause(error)})")
    raise DataError(
        f"{name}: expected {filename} in {home} or from a source, found it neither there nor at "
        f"{', '.join(failures)}; connect to the network and try again, or put {filename} into {home}."
    )


def _unpacked() -> Path:
    """The folder of the files in Debian's package, which its first use downloads."""
    return unpack_package(DEBIAN_PACKAGE) / DEBIAN.relative_to("/")


# Verifying and keeping


def _invalid(path: Path, problem: object) -> DataError:
    return DataError(f"{path}: {problem}; remove or replace this file, then run `python fashion_mnist.py`.")


def _read(name: str, path: Path) -> np.ndarray:
    """The array in an idx file, gzipped or not."""
    try:
        return _decode(name, content_of(path))  # and nothing that would never end
    except OSError as error:
        raise _invalid(path, f"expected a file that can be read, found: {text_of(error)}") from error
    except ValueError as error:
        raise _invalid(path, error) from error


def _decode(name: str, data: bytes) -> np.ndarray:
    """(n, 784) or (n,) uint8 from the bytes of an idx file, gzipped or not; ValueError unless as published."""
    file = FILES[name]
    if data.startswith(b"\x1f\x8b"):
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError, zlib.error) as error:
            raise ValueError(f"expected a whole gzip file, found a damaged one ({error})") from None
    shape = _idx_shape(data)
    if shape != file.shape:
        raise ValueError(f"expected an idx file of shape {file.shape}, found shape {shape}")
    size = len(file.header) + math.prod(shape)
    if len(data) != size:
        raise ValueError(f"expected {size:,} bytes after decompression, found {len(data):,}")
    _check_digest(file, hashlib.sha256(data).hexdigest())
    return np.frombuffer(data, np.uint8, offset=len(file.header)).reshape(file.flat_shape)


def _idx_shape(data: bytes) -> tuple[int, ...]:
    """The dimensions in the header of an idx file of unsigned bytes; ValueError where there is no such header."""
    if data[:3] != b"\0\0\x08" or len(data) < 4 or len(data) < 4 + 4 * data[3]:
        found = f"one that begins with {data[:8]!r}" if data else "an empty file"
        raise ValueError(f"expected an idx file of unsigned bytes, found {found}")
    return tuple(np.frombuffer(data, ">u4", count=data[3], offset=4).tolist())


def _check_digest(file: IdxFile, sha256: str) -> None:
    if sha256 != file.sha256:
        raise ValueError(f"expected SHA-256 {file.sha256[:12]}…, found {sha256[:12]}…")


def _keep(array: np.ndarray, path: Path) -> Path:
    """Write `array` to `path` at one stroke: a kill, a full disk or a second process leaves no torn file behind."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as file:
            np.save(file, array)
    except OSError as error:
        # Windows does not replace a file that another process, which was quicker, has kept and mapped.
        if not (error.errno == errno.EACCES and os.path.exists(path)):
            why = error.why if isinstance(error, NotWritten) else text_of(error)
            raise DataError(
                f"{path}: expected to write {array.nbytes:,} bytes there, found: {why}; "
                "free space or name a folder that can be written in FASHION_MNIST_DIR."
            ) from error
    return path


def _open_array(name: str, path: Path) -> np.ndarray:
    """Memory-map a kept array, read-only. Its shape, type and size are checked, which costs nothing; not its digest."""
    shape = FILES[name].flat_shape
    try:
        require_file(path)
        array = np.lib.format.open_memmap(path, mode="r")
        expected = f"uint8 {shape} in {array.offset + math.prod(shape):,} bytes"
        found = f"{array.dtype} {array.shape} in {path.stat().st_size:,} bytes"
    except Exception as error:  # from a damaged header: ValueError, SyntaxError, TypeError, tokenize.TokenError
        raise _invalid(path, f"expected a whole .npy file of uint8 {shape}, found: {text_of(error)}") from error
    if found != expected:
        raise _invalid(path, f"expected {expected}, found {found}")
    if array.ndim == 1 and array.max() >= len(CLASS_NAMES):
        raise _invalid(path, f"expected labels from 0 to {len(CLASS_NAMES) - 1}, found {array.max()}")
    return array.view(np.ndarray)


def _verify(name: str, path: Path) -> None:
    """Compare every byte of a kept array with the published file, by its digest."""
    file = FILES[name]
    digest = hashlib.sha256(file.header)
    digest.update(_open_array(name, path))
    try:
        _check_digest(file, digest.hexdigest())
    except ValueError as error:
        raise _invalid(path, error) from error


def main() -> None:
    """Fetch what is missing, verify all four files, and say where they are."""
    clear(_home())
    try:
        for name in FILES:
            path, origin = _find(name, _home())
            _verify(name, path)
            print(f"{name}: {path} ({origin}), SHA-256 verified")
    except DataError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
