"""Files that are written whole or not at all: a kill at any moment leaves the old file or the new one."""

import json
import math
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any


@contextmanager
def whole_file(path: str | os.PathLike) -> Iterator[IO[bytes]]:
    """A new file, open for bytes, that takes the place of `path` once the block has ended.

    If the block raises, or the disk is full, `path` stays as it was and nothing is left beside it.
    """
    path = Path(path)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    try:
        with open(temporary, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        with suppress(OSError):
            temporary.unlink()


def write_whole(path: str | os.PathLike, content: str | bytes) -> None:
    """Write a file whole or not at all; text as UTF-8."""
    with whole_file(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file; an empty one where there is no file, or none that can be read."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
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
    return value
