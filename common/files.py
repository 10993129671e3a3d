"""Files that are written whole or not at all: a kill at any moment leaves the old file or the new one.

What a kill leaves beside it is cleared by whoever comes next. A file under way is locked by its process, and the system
lifts the lock however that ends: so what others are writing, on this machine or another, is left alone.
"""

import atexit
import errno
import json
import math
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, Any

try:
    from fcntl import LOCK_EX, LOCK_NB, flock
except ImportError:  # Windows, where nobody can remove a file that another process has open
    import msvcrt

    flock = None

MOST_BYTES = 2**26  # of a file that is read whole: a thousand times what those of this project have
UNDER_WAY = re.compile(r"(.+)\.\d+\.[0-9a-f]{8}\.tmp")  # what it is to be called, a process, a mark of its own
CURES = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), "make room on its disk, then start again"),
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), "make its folder writable, or choose another one"),
    **dict.fromkeys((errno.EISDIR, errno.EEXIST), "move away what is there, or choose another name"),
    errno.ENAMETOOLONG: "choose another name",
    **dict.fromkeys((errno.ENOENT, errno.ENOTDIR), "choose a folder that there is"),
}
CURE = "make sure that there is room on its disk, then start again"
OTHERS = {  # where it is not certain that something was to be written
    **dict.fromkeys((errno.EACCES, errno.EPERM), "ask its owner for the right to it, or choose another one"),
    errno.ENOENT: "choose one that there is",
}


class NotWritten(OSError):
    """A file that could not be written, and is as it was; the text names it, why, and what to do."""

    def __init__(self, path: Path, error: OSError) -> None:
        self.why = error.strerror or str(error)
        super().__init__(error.errno, f"{path} cannot be written ({self.why}): {CURES.get(error.errno, CURE)}")

    def __str__(self) -> str:
        return self.strerror


def explained(error: Exception, use: str = "used") -> str:
    """What an error says; one of the system's that names a file gets a sentence with a way out."""
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"{error.filename} cannot be {use} ({error.strerror}): {(CURES | OTHERS).get(error.errno, CURE)}"
    return str(error)


@contextmanager
def whole_file(path: str | os.PathLike) -> Iterator[IO[bytes]]:
    """A new file, open for bytes, that takes the place of `path` once the block has ended.

    If the block raises, or the disk is full, `path` stays as it was and nothing is left beside it. Raises NotWritten,
    also where a folder or a device is in its place.
    """
    target = Path(os.path.realpath(path))
    try:
        require_file(target)
        clear(target.parent, target.name)
        with _under_way(target) as (file, temporary):
            yield file
            file.flush()
            os.fsync(file.fileno())
            if flock is None:  # Windows replaces no file that is open
                file.close()
            os.replace(temporary, target)
    except OSError as error:
        raise NotWritten(Path(path), error) from error


def require_file(path: Path) -> None:
    """Raise OSError for a folder in the place of a file, or a device or pipe, which one might wait for for ever."""
    if path.exists() and not path.is_file():
        raise OSError(errno.EISDIR, "it is a folder" if path.is_dir() else "it is a device and no file")


@contextmanager
def scratch(purpose: str, parent: str | os.PathLike = "") -> Iterator[Path]:
    """A new folder that is removed once the block has ended, in `parent`, or where the system keeps what is temporary.

    Those for the same purpose that a kill has left there are removed first. Raises NotWritten where it cannot be made.
    """
    folder = Path(parent or tempfile.gettempdir())
    clear(folder, purpose)
    with ExitStack() as stack:
        try:
            _, claim = stack.enter_context(_under_way(folder / purpose))
            own = claim.with_suffix("")
            own.mkdir(mode=0o700)
        except OSError as error:
            raise NotWritten(folder / purpose, error) from error
        stack.callback(shutil.rmtree, own, ignore_errors=True)
        yield own


def scratch_until_exit(purpose: str) -> Path:
    """Such a folder that is removed when Python ends."""
    stack = ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(scratch(purpose))


@contextmanager
def alone(path: Path) -> Iterator[bool]:
    """Whether nobody else, in this process or another, is in such a block for the file, which is made if need be.

    The system ends it however this process ends. What the file holds is of no importance. Raises NotWritten where it
    can be neither made nor opened.
    """
    try:
        file = _opened(path)
    except OSError as error:
        raise NotWritten(path, error) from error
    with file:
        try:
            flock(file, LOCK_EX | LOCK_NB) if flock else msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
            mine = True
        except (BlockingIOError, PermissionError):
            mine = False
        except OSError as error:  # a file system without locks
            raise NotWritten(path, error) from error
        yield mine


def _opened(path: Path) -> IO[bytes]:
    require_file(path)  # to open a pipe would wait for whoever reads it
    try:
        return open(path, "ab")
    except PermissionError:
        if not path.exists():
            raise
        return open(path, "rb")  # one that is only to be read can be locked as well


def make_folder(path: Path) -> None:
    """Make a folder unless it is there; raises NotWritten."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise NotWritten(path, error) from error


def clear(folder: Path, name: str = "") -> None:
    """Remove what processes that are no more had under way in a folder, to be called `name`, or anything."""
    for path in map(Path, _matching(folder, name)):
        if _remove_abandoned(path):
            shutil.rmtree(path.with_suffix(""), ignore_errors=True)  # of `scratch`


def _matching(folder: Path, name: str) -> list[str]:
    with suppress(OSError), os.scandir(folder) as entries:
        matches = [(entry.path, UNDER_WAY.fullmatch(entry.name)) for entry in entries if entry.name.endswith(".tmp")]
        return [path for path, match in matches if match and name in ("", match[1])]
    return []


@contextmanager
def _under_way(path: Path) -> Iterator[tuple[IO[bytes], Path]]:
    """A new file beside `path`, this process's own until the block has ended, and where it is."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    file = _create(temporary)
    try:
        yield file, temporary
    finally:
        with suppress(OSError):  # of a full disk, once more
            file.close()
        with suppress(OSError):
            temporary.unlink()


def _create(path: Path) -> IO[bytes]:
    """A new file, locked."""
    while True:
        file = open(path, "xb")  # noqa: SIM115  (whoever asked closes it)
        if flock is None:
            return file
        with suppress(OSError):  # where a file system has no locks, what is left behind stays
            flock(file, LOCK_EX)
        if os.fstat(file.fileno()).st_nlink:
            return file
        file.close()  # somebody took it for abandoned before it was locked


def _remove_abandoned(path: Path) -> bool:
    """Remove a file unless the process that has created it still has it open; whether it was removed."""
    with suppress(OSError):
        if flock is None:
            path.unlink()
            return True
        with open(path, "r+b") as file:
            flock(file, LOCK_EX | LOCK_NB)
            if os.fstat(file.fileno()).st_nlink:  # else somebody was quicker, and what has its name by now is another's
                path.unlink()
                return True
    return False


def write_whole(path: str | os.PathLike, content: str | bytes) -> None:
    """Write a file whole or not at all; text as UTF-8."""
    with whole_file(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)


def remove(path: Path) -> None:
    """Remove what there is at a path, if anything: a file, or a folder in its place."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def content_of(path: Path) -> bytes:
    """All that a file holds; raises OSError also for what would never end, or is too large to be one of ours."""
    require_file(path)
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_size > MOST_BYTES:
            raise OSError(errno.EFBIG, f"it is larger than {MOST_BYTES // 2**20} MB")
        return file.read()


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file; an empty one where there is no file, or none that can be read."""
    try:
        content = json.loads(content_of(path))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write strict JSON, with null for what is not finite, whole or not at all."""
    write_whole(path, json.dumps(_strict(content), indent=1, allow_nan=False))


def _strict(value: Any) -> Any:
    match value:
        case float():
            return value if math.isfinite(value) else None
        case Mapping():
            return {key: _strict(item) for key, item in value.items()}
        case list() | tuple():
            return [_strict(item) for item in value]
        case str() | int() | None:
            return value
    return _strict(value.tolist()) if hasattr(value, "tolist") else value  # NumPy's numbers and arrays
