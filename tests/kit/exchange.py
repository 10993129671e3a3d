"""What can happen to the files by which a kernel and its starter speak, in a run's folder, while they do."""

import os
import random
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

NAMES = ("record.json", "verdict.json", "stopping.json")
OVERSIZED = 2**33  # bytes, none of which takes room on a disk


def _free(path: Path) -> Path:
    """The path, with nothing there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)  # somebody may be writing there
    else:
        path.unlink(missing_ok=True)
    return path


def _torn(path: Path, chance: random.Random) -> None:
    whole = path.read_bytes() if path.is_file() else b'{"epochs": 1, "stop": true}'
    _free(path).write_bytes(whole[: chance.randrange(len(whole) or 1)])


def _garbage(path: Path, chance: random.Random) -> None:
    _free(path).write_bytes(chance.randbytes(chance.randrange(100)))


def _odd(path: Path, chance: random.Random) -> None:
    content = chance.choice(("[]", "null", '{"epochs": "1", "stop": 1}', '{"bands": {}, "history": [3]}', "[" * 10**5))
    _free(path).write_text(content)


def _oversized(path: Path, _: random.Random) -> None:
    with _free(path).open("wb") as file:
        file.truncate(OVERSIZED)


def _missing(path: Path, _: random.Random) -> None:
    _free(path)


def _folder(path: Path, _: random.Random) -> None:
    (_free(path) / "in the way").mkdir(parents=True)


def _pipe(path: Path, _: random.Random) -> None:
    os.mkfifo(_free(path))


def _endless(path: Path, _: random.Random) -> None:
    _free(path).symlink_to("/dev/zero")


HARM: dict[str, Callable[[Path, random.Random], None]] = {
    "torn": _torn,
    "garbage": _garbage,
    "odd": _odd,
    "oversized": _oversized,
    "missing": _missing,
    "a folder": _folder,
    "a pipe": _pipe,
    "endless": _endless,
}


def harm(folder: Path, chance: random.Random) -> str:
    """Do something to one of the files, or now and then to the whole folder; return what."""
    name, how = chance.choice((*NAMES, *NAMES, "folder")), chance.choice(list(HARM))
    path = folder if name == "folder" else folder / name
    with suppress(
        FileNotFoundError, FileExistsError, NotADirectoryError, IsADirectoryError
    ):  # others are at work there
        HARM["missing" if name == "folder" else how](path, chance)
    return name if name == "folder" else f"{name} {how}"
