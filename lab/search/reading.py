"""Sweep files as plain data, read within bounds, so that no file costs more than a moment or more than a sentence."""

from __future__ import annotations

import datetime
import itertools
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

from common.files import explained
from common.words import brief, passwords, secrets, shown, without_secrets

MOST_BYTES = 100_000  # of a file: real ones have a few thousand
MOST_CHARACTERS = 1_000_000  # of its content, once what aliases stand for is written out
DEEPEST = 30
JSON_MARK = re.compile(r'[{}]|("(?:[^"\\]|\\.)*")\s*(:)?')  # where an object of JSON begins, ends, or has a key
MERGE = "tag:yaml.org,2002:merge"  # of YAML's key <<
SECRET_WORDS = r"(?:api[-_]?key|passw(?:or)?d|secret|credentials?|(?:access|auth)[-_]?token)"
SECRET_NAME = re.compile(rf"(?:.*[-_.])?{SECRET_WORDS}", re.IGNORECASE)
SECRET_GIVEN = re.compile(rf"{SECRET_WORDS}[=:](?!\$)\S", re.IGNORECASE)  # and not as a ${{macro}} of W&B's
UNSAFE = "which would stand in every record of its runs: let the notebook read it from the environment"
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times faster, where libyaml is there
NO_JSON = {datetime.date: "a date", bytes: "!!binary", set: "a set", tuple: "ordered pairs"}  # of what YAML has besides


class SweepError(ValueError):
    """What is wrong with a sweep, in one sentence."""

    def __init__(self, sentence: str) -> None:
        super().__init__(brief(sentence))


def load(path: Path, say: Callable[[str], object]) -> dict[str, Any]:
    """The content of a YAML or JSON file; raises SweepError for what is neither or means more than JSON can say.

    Of a key that a mapping has twice the last counts, as on W&B; `say` is told.
    """
    try:
        content = _parse(path, say)
    except SweepError:
        raise
    except PermissionError as error:
        raise SweepError(explained(error, "read")) from error
    except RecursionError as error:
        raise SweepError(f"{path} cannot be read: it is nested too deeply") from error
    except UnicodeDecodeError as error:
        raise SweepError(f"{path} is no text in UTF-8, from byte {error.start} on: save it in that encoding") from error
    except Exception as error:  # beside its own errors, PyYAML raises what Python's constructors raise
        raise SweepError(f"{path} cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise SweepError(f"{path} must hold names and their values, not {shown(content)}")
    return content


def _parse(path: Path, say: Callable[[str], object]) -> Any:
    if path.exists() and not path.is_file():
        raise SweepError(f"{path} cannot be read: it is not a file")
    with path.open("rb") as file:
        raw = file.read(MOST_BYTES + 1)
    if len(raw) > MOST_BYTES:
        raise SweepError(f"{path} is no sweep file: it is longer than {MOST_BYTES:,} bytes")
    text = raw.decode("utf-8-sig")
    if path.suffix == ".json":
        content = json.loads(text)
        _tell_doubles(_json_keys(text), say)
        return content
    _refuse_bombs(path, text)
    _tell_doubles(_yaml_keys(text), say)
    return yaml.load(text, LOADER)


Key = tuple[object, str, int]  # a mark of the mapping that it stands in, its text, its line


def _tell_doubles(keys: Iterable[Key], say: Callable[[str], object]) -> None:
    """Say which keys a mapping has more than once."""
    lines: dict[tuple[object, str], list[int]] = {}
    for mapping, key, line in keys:
        lines.setdefault((mapping, key), []).append(line)
    for (_, key), several in lines.items():
        if len(several) > 1:
            where = " and again in line ".join(map(str, several))
            say(brief(f"{shown(key)} stands in line {where}: the last counts, as on W&B"))


def _json_keys(text: str) -> Iterator[Key]:
    """The keys in JSON that can be read."""
    within, objects = [], itertools.count()
    for mark in JSON_MARK.finditer(text):
        if mark[0] == "{":
            within.append(next(objects))
        elif mark[0] == "}":
            within.pop()
        elif mark[2]:
            yield within[-1], json.loads(mark[1]), text.count("\n", 0, mark.start()) + 1


def _yaml_keys(text: str) -> Iterator[Key]:
    """The keys in YAML, of what aliases stand for only once; what << brings in may be there twice."""
    root = yaml.compose(text, LOADER)
    nodes, seen = [root], set()
    while nodes:
        node = nodes.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            nodes += node.value
        elif isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                nodes += [key, value]
                if isinstance(key, yaml.ScalarNode) and key.tag != MERGE:
                    yield (id(node), key.tag), key.value, key.start_mark.line + 1


def _refuse_bombs(path: Path, text: str) -> None:
    """Refuse YAML that is deep, or becomes large when its aliases are written out, before anything is built of it."""
    sizes, open_nodes, anchored = [0], [], {}
    for event in yaml.parse(text, LOADER):
        match event:
            case yaml.AliasEvent() if event.anchor in open_nodes:
                raise SweepError(f"{path} cannot be read: {event.anchor!r} holds itself")
            case yaml.AliasEvent():
                sizes[-1] += anchored.get(event.anchor, 0)
            case yaml.ScalarEvent():
                sizes[-1] += len(event.value) + 1
                anchored[event.anchor] = len(event.value) + 1
            case yaml.CollectionStartEvent():
                sizes.append(1)
                open_nodes.append(event.anchor or "")
            case yaml.CollectionEndEvent():
                size = sizes.pop()
                anchored[open_nodes.pop()] = size
                sizes[-1] += size
        if len(sizes) > DEEPEST:
            raise SweepError(f"{path} cannot be read: it is nested deeper than {DEEPEST} levels")
        if sizes[-1] > MOST_CHARACTERS:
            raise SweepError(f"{path} cannot be read: with its aliases written out it is too long")


def require_plain(value: Any, where: str = "", depth: int = 0) -> None:
    """Refuse what JSON cannot say, and say what would do instead; `where` it stands names it."""
    if depth > DEEPEST:
        raise SweepError(f"{where[:80]} is nested deeper than {DEEPEST} levels")
    match value:
        case bool() | None:
            return
        case dict():
            for key, inner in value.items():
                _require_name(key, where)
                require_plain(inner, f"{where}.{key}" if where else key, depth + 1)
        case list():
            for k, inner in enumerate(value):
                require_plain(inner, f"{where}[{k}]", depth + 1)
        case str():
            _require_characters(value, where)
        case int() | float():
            _require_number(value, where)
        case _:
            kind = next((name for kind, name in NO_JSON.items() if isinstance(value, kind)), type(value).__name__)
            cure = "put it in quotes" if isinstance(value, datetime.date) else "write text, numbers, lists or mappings"
            raise SweepError(f"{where} is {kind} ({shown(value)}), which a sweep cannot hold: {cure}")


def _require_name(key: Any, where: str) -> None:
    if not isinstance(key, str):
        place = f" in {where}" if where else ""
        cure = "put yes, no, on or off in quotes" if isinstance(key, bool) else "put it in quotes"
        raise SweepError(f"the key {shown(key)}{place} is no text: {cure}")
    _require_characters(key, where)


def _require_characters(text: str, where: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise SweepError(f"{where or 'a key'} holds half a character ({shown(text)}): write it whole") from error


def _require_number(value: float, where: str) -> None:
    if isinstance(value, int) and value.bit_length() > 1023:
        raise SweepError(f"{where} has about {int(value.bit_length() * 0.30103)} digits: a number has at most 308")
    if isinstance(value, float) and not math.isfinite(value):
        raise SweepError(f"{where} is {value}, which no record of a run can hold: leave it out")


def refuse_secrets(content: Any) -> None:
    """Refuse plain content with what the environment holds as a secret, or what looks like one; it is not repeated."""
    known = secrets()
    for where, text, is_name in _texts(content, ""):
        if holder := next((name for name, secret in known if secret in text), None):
            raise SweepError(
                f"{without_secrets(where)} holds the secret that the environment has as {holder}, {UNSAFE}"
            )
        if is_name and SECRET_NAME.fullmatch(text):
            raise SweepError(f"{where} is called a secret, {UNSAFE}")
        if passwords(text) or SECRET_GIVEN.search(text):
            raise SweepError(f"{where} holds a password or a key, {UNSAFE}")


def _texts(value: Any, where: str) -> Iterator[tuple[str, str, bool]]:
    """All texts in plain content: where each stands, the text, and whether it is a name."""
    match value:
        case str():
            yield where, value, False
        case list():
            for k, inner in enumerate(value):
                yield from _texts(inner, f"{where}[{k}]")
        case dict():
            for key, inner in value.items():
                place = f"{where}.{key}" if where else key
                yield place, key, True
                yield from _texts(inner, place)
