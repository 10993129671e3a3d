"""A file is written whole or not at all, whatever happens while it is being written."""

import errno
import json
import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from common import files
from common.files import NotWritten, alone, clear, explained, read_json, scratch, whole_file, write_json, write_whole


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


@pytest.mark.kernel
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
    kept = json.loads((tmp_path / "record.json").read_text())
    assert set(kept["history"]) == {kept["k"]}
    assert len(kept["history"]) == 100_000


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


def test_numbers_of_numpy_s_are_written_as_python_s(tmp_path):
    """As a network has them where numba's kernels are switched off."""
    content = {"loss": np.float32(0.5), "epoch": np.int64(1), "all": np.array([1.0, np.nan]), "good": np.bool_(True)}
    write_json(tmp_path / "a.json", content)
    assert read_json(tmp_path / "a.json") == {"loss": 0.5, "epoch": 1, "all": [1.0, None], "good": True}


# --- what a kill leaves behind ---

HOLD = """
import sys, time
from pathlib import Path
from common.files import scratch, whole_file
with whole_file(sys.argv[1]) as file, scratch("executing", Path(sys.argv[1]).parent) as folder:
    (folder / "half").write_text("half")
    file.write(b"half")
    file.flush()
    print("writing", flush=True)
    sys.stdin.readline()
    file.seek(0)
    file.write(b"whole")
"""


@pytest.fixture
def writer(tmp_path):
    """Another process in the midst of writing a.json and of using a folder, until it gets a line."""
    command = [sys.executable, "-c", HOLD, str(tmp_path / "a.json")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "writing\n"
        yield process
        process.kill()


def under_way(folder):
    return sorted(re.sub(r"\.\d+\.[0-9a-f]{8}", "", path.name) for path in folder.iterdir())


@pytest.mark.kernel
def test_whoever_writes_next_clears_what_a_kill_has_left(tmp_path, writer):
    writer.kill()
    writer.wait()
    assert under_way(tmp_path) == ["a.json.tmp", "executing", "executing.tmp"]
    write_whole(tmp_path / "b.json", "")
    assert under_way(tmp_path) == ["a.json.tmp", "b.json", "executing", "executing.tmp"]
    write_whole(tmp_path / "a.json", "")
    assert under_way(tmp_path) == ["a.json", "b.json", "executing", "executing.tmp"]
    with scratch("executing", tmp_path) as folder:
        assert not list(folder.iterdir())
        assert under_way(tmp_path) == ["a.json", "b.json", "executing", "executing.tmp"]
    assert under_way(tmp_path) == ["a.json", "b.json"]


@pytest.mark.kernel
def test_all_that_kills_have_left_in_a_folder_is_cleared_at_once(tmp_path, writer):
    (tmp_path / "notes.tmp").touch()  # of others
    writer.kill()
    writer.wait()
    clear(tmp_path)
    assert under_way(tmp_path) == ["notes.tmp"]
    clear(tmp_path / "missing")


@pytest.mark.kernel
def test_what_another_process_is_writing_is_left_alone(tmp_path, writer):
    write_whole(tmp_path / "a.json", "mine")
    with scratch("executing", tmp_path):
        clear(tmp_path)
        assert sum(path.suffix == ".tmp" for path in tmp_path.iterdir()) == 3
        assert [path.read_text() for path in tmp_path.glob("executing.*/half")] == ["half"]
    writer.communicate("\n")
    assert writer.returncode == 0
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a.json": "whole"}


def test_a_scratch_folder_that_cannot_be_made_is_named_as_it_is_called_for(tmp_path, forbidden):
    forbidden(tmp_path)
    said = f"^{re.escape(str(tmp_path / 'executing'))} cannot be written .Permission denied.: make its folder writable"
    with pytest.raises(NotWritten, match=said), scratch("executing", tmp_path):
        pass


def test_without_a_process_s_locks_it_is_the_system_that_keeps_what_is_open(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "flock", None)
    (tmp_path / "a.json.1.01234567.tmp").touch()
    write_whole(tmp_path / "a.json", "new")
    assert under_way(tmp_path) == ["a.json"]


def test_many_write_the_same_file_and_clear_at_once(tmp_path):
    def write(k):
        for _ in range(20):
            write_whole(tmp_path / "a.json", str(k))
            clear(tmp_path)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    assert under_way(tmp_path) == ["a.json"]


# --- what cannot be written ---


@pytest.mark.parametrize(
    ("number", "cure"),
    [
        (errno.ENOSPC, "make room on its disk, then start again"),
        (errno.EROFS, "make its folder writable, or choose another one"),
        (errno.EIO, "make sure that there is room on its disk, then start again"),
    ],
)
def test_what_cannot_be_written_is_named_with_the_cause_and_a_cure(number, cure, tmp_path, monkeypatch):
    def fail(_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(NotWritten) as raised:
        write_whole(tmp_path / "a", "new")
    assert str(raised.value) == f"{tmp_path / 'a'} cannot be written ({os.strerror(number)}): {cure}"
    assert raised.value.errno == number
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="without such a device")
def test_no_device_and_no_folder_is_replaced(tmp_path):
    for path, cause in ((tmp_path, "it is a folder"), (Path("/dev/full"), "it is a device and no file")):
        with pytest.raises(NotWritten, match=cause):
            write_whole(path, "new")
        assert not path.is_file()
        assert not list(path.parent.glob(f"{path.name}.*"))


def test_a_folder_that_is_missing_is_named(tmp_path):
    with pytest.raises(NotWritten, match=r"missing.*choose a folder that there is"):
        write_whole(tmp_path / "missing" / "a", "new")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (PermissionError(13, "Permission denied", "/a"), "/a cannot be used (Permission denied): ask its owner"),
        (FileNotFoundError(2, "No such file", "/a"), "/a cannot be used (No such file): choose one that there is"),
        (OSError(28, "No space left on device", "/a"), "/a cannot be used (No space left on device): make room on its"),
        (OSError(5, "Input/output error"), "[Errno 5] Input/output error"),
        (NotWritten(Path("/a"), OSError(28, "full")), "/a cannot be written (full): make room on its disk"),
        (ValueError("it is so"), "it is so"),
    ],
)
def test_what_the_system_refuses_is_a_sentence_with_a_cure(error, said):
    assert explained(error).startswith(said)


def test_a_lock_that_may_not_be_made_is_no_missing_file(tmp_path, forbidden):
    forbidden(tmp_path / "driver.lock")
    with pytest.raises(NotWritten, match=r"Permission denied"), alone(tmp_path / "driver.lock"):
        pass


def test_a_link_stays_one(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "a").symlink_to(tmp_path / "there" / "b")
    write_whole(tmp_path / "a", "new")
    assert (tmp_path / "a").is_symlink()
    assert under_way(tmp_path / "there") == ["b"]
    assert (tmp_path / "a").read_text() == "new"
