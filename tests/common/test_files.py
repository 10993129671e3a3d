"""A file is written whole or not at all, whatever happens while it is being written."""

import json
import os
import subprocess
import sys
import time

import pytest

from common.files import read_json, whole_file, write_json, write_whole


def test_a_write_that_fails_leaves_the_old_record(tmp_path, monkeypatch):
    path = tmp_path / "record.json"
    write_json(path, {"status": "old"})

    def full(_):
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space"):
        write_json(path, {"status": "new"})
    assert json.loads(path.read_text()) == {"status": "old"}
    assert list(tmp_path.iterdir()) == [path]


def test_a_kill_while_writing_tears_nothing(tmp_path):
    code = (
        "import sys, itertools, pathlib\nfrom common.files import write_json\n"
        "for k in itertools.count():\n"
        "    write_json(pathlib.Path(sys.argv[1]), {'k': k, 'history': [k] * 100_000})\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "record.json")])
    while not (tmp_path / "record.json").exists():
        assert process.poll() is None
        time.sleep(0.01)
    time.sleep(0.3)
    process.kill()
    process.wait()
    found = json.loads((tmp_path / "record.json").read_text())
    assert set(found["history"]) == {found["k"]}
    assert len(found["history"]) == 100_000


def test_a_block_that_raises_leaves_the_old_file_and_nothing_beside_it(tmp_path):
    path = tmp_path / "weights.npz"
    write_whole(path, b"old")

    def write_half():
        with whole_file(path) as file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_text_is_written_as_utf_8_and_line_ends_stay(tmp_path):
    write_whole(tmp_path / "page", "α\r\nβ\n")
    assert (tmp_path / "page").read_bytes() == "α\r\nβ\n".encode()


@pytest.mark.parametrize("text", ["", "{", "[1]", "3", '"text"', "\xff", "[" * 100_000])
def test_what_is_no_object_is_read_as_an_empty_one(text, tmp_path):
    (tmp_path / "a.json").write_text(text, encoding="latin-1")
    assert read_json(tmp_path / "a.json") == {}
    assert read_json(tmp_path / "missing.json") == {}


def test_json_is_strict_and_reads_back(tmp_path):
    content = {"a": [1, (2.5, float("nan")), {"b": float("inf")}], "lone surrogate": "\ud800", "c": None}
    write_json(tmp_path / "a.json", content)
    assert read_json(tmp_path / "a.json") == content | {"a": [1, [2.5, None], {"b": None}]}
