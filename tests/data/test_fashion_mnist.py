"""The data: found in each place, fetched from each source, and every way that it can go wrong ends in one sentence."""

import contextlib
import errno
import gzip
import hashlib
import http.server
import math
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import fashion_mnist
from common import sources
from common.sources import unpack_package
from fashion_mnist import CLASS_NAMES, FILES, DataError, IdxFile, Split, load, split

PROJECT_DATA = fashion_mnist.DATA
UPSTREAM = {name: file.upstream for name, file in FILES.items()}


@pytest.fixture
def published(tmp_path, monkeypatch):
    """A small data set stands in for the published one: name -> idx bytes. Neither disk nor network has it yet."""
    random = np.random.default_rng(0)
    idx = {}
    for name, count in (("train-images", 20), ("train-labels", 20), ("test-images", 10), ("test-labels", 10)):
        shape = (count, 28, 28) if name.endswith("images") else (count,)
        header = struct.pack(f">HBB{len(shape)}I", 0, 8, len(shape), *shape)
        idx[name] = header + random.bytes(math.prod(shape)).translate(
            bytes(range(256)) if len(shape) == 3 else bytes(i % 10 for i in range(256))
        )
        monkeypatch.setitem(FILES, name, IdxFile(UPSTREAM[name], shape, hashlib.sha256(idx[name]).hexdigest()))
    monkeypatch.setattr(fashion_mnist, "DATA", tmp_path / "data")
    monkeypatch.setattr(fashion_mnist, "DEBIAN", tmp_path / "debian")
    monkeypatch.setattr(fashion_mnist, "SOURCES", ())
    monkeypatch.setattr(shutil, "which", lambda command: None)
    monkeypatch.delenv("FASHION_MNIST_DIR", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    unpack_package.cache_clear()
    yield idx
    unpack_package.cache_clear()


@pytest.fixture
def home(published):
    """The project's data/, holding the four files gzipped."""
    return fill(fashion_mnist.DATA, published)


def fill(folder: Path, idx: dict[str, bytes], *, compress=True) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in idx.items():
        path = folder / f"{UPSTREAM[name]}{'.gz' if compress else ''}"
        path.write_bytes(gzip.compress(data) if compress else data)
    return folder


def sentence(part="train", **arguments) -> str:
    """The text of the DataError that touching `part` raises; checked to be one sentence."""
    with pytest.raises(DataError) as caught:
        getattr(load(**arguments), part)
    text = str(caught.value)
    assert "\n" not in text
    assert text.endswith(".")
    assert "expected" in text
    assert "found" in text
    return text


def assert_train(data: Split, published: dict[str, bytes]) -> None:
    assert data.images.tobytes() == published["train-images"][16:]
    assert data.labels.tobytes() == published["train-labels"][8:]


# Loading


def test_class_names():
    assert len(CLASS_NAMES) == len(set(CLASS_NAMES)) == 10
    assert load().class_names is CLASS_NAMES


@pytest.mark.parametrize("compress", [True, False], ids=["idx.gz", "idx"])
def test_arrays_are_those_of_the_idx_files(published, compress):
    fill(fashion_mnist.DATA, published, compress=compress)
    data = load()
    for part, count in (("train", 20), ("test", 10)):
        images, labels = getattr(data, part)
        assert images.tobytes() == published[f"{part}-images"][16:]
        assert labels.tobytes() == published[f"{part}-labels"][8:]
        assert images.shape == (count, 784)
        assert labels.shape == (count,)
        assert images.dtype == labels.dtype == np.uint8
        assert type(images) is np.ndarray
        assert not images.flags.writeable


def test_float32_lies_in_0_to_1(home):
    integers, floats = load().train.images, load(dtype="float32").train.images
    assert floats.dtype == np.float32
    assert floats.min() == 0
    assert floats.max() == 1
    np.testing.assert_array_equal(floats, (integers.astype(float) / 255).astype(np.float32))


def test_not_flat_gives_squares(home):
    flat, square = load().train.images, load(flat=False).train.images
    assert square.shape == (20, 28, 28)
    np.testing.assert_array_equal(square[3, 5], flat[3, 5 * 28 : 6 * 28])


def test_unknown_dtype_is_refused():
    with pytest.raises(ValueError, match="dtype must be one of uint8, float32, not 'float64'"):
        load(dtype="float64")


def test_files_are_opened_when_touched_and_no_earlier(published):
    fill(fashion_mnist.DATA, {name: data for name, data in published.items() if name.startswith("train")})
    data = load()
    assert not list(fashion_mnist.DATA.glob("*.npy"))
    assert_train(data.train, published)
    assert sorted(path.name for path in fashion_mnist.DATA.glob("*.npy")) == ["train-images.npy", "train-labels.npy"]
    assert data.train is data.train
    with pytest.raises(DataError, match="t10k-images-idx3-ubyte"):
        _ = data.test


def test_verified_once_then_trusted(home, published):
    assert_train(load().train, published)
    for path in home.glob("*.gz"):
        path.unlink()
    assert_train(load().train, published)


@pytest.mark.kernel
def test_import_brings_in_no_downloader():
    code = "import sys, fashion_mnist; sys.exit(bool({'pooch', 'requests', 'tqdm'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


# Where it is looked for


def test_order_of_the_places(published, tmp_path):
    places = [tmp_path / "argument", fashion_mnist.DATA, fashion_mnist.DEBIAN]
    for place in places:
        fill(place, published)
    for place in places:
        path, origin = fashion_mnist._find("train-labels", places[0])
        assert path == places[0] / "train-labels.npy"
        assert origin == f"from {place / 'train-labels-idx1-ubyte.gz'}"
        path.unlink()
        shutil.rmtree(place)


def test_argument_comes_before_the_variable(published, tmp_path, monkeypatch):
    monkeypatch.setenv("FASHION_MNIST_DIR", str(tmp_path / "variable"))
    fill(tmp_path / "variable", published)
    assert_train(load().train, published)
    assert (tmp_path / "variable" / "train-images.npy").exists()
    fill(tmp_path / "argument", published)
    assert_train(load(tmp_path / "argument").train, published)
    assert (tmp_path / "argument" / "train-images.npy").exists()
    assert not fashion_mnist.DATA.exists()


def test_debian_files_are_kept_in_the_named_folder(published, tmp_path):
    fill(fashion_mnist.DEBIAN, published)
    assert_train(load(tmp_path / "new" / "folder").train, published)
    assert (tmp_path / "new" / "folder" / "train-images.npy").exists()


def test_change_of_directory_between_load_and_touch(published, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fill(tmp_path / "here", published)
    data = load("here")
    monkeypatch.chdir("/")
    assert_train(data.train, published)


# Files that are not what they should be: a sentence, never the next place


def damaged(data: bytes) -> dict[str, tuple[bytes, str]]:
    """What may lie where the gzipped training images should: bytes, and what the sentence says was found."""
    compressed, middle = gzip.compress(data), len(data) // 2
    flipped = data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]
    return {
        "truncated": (compressed[: len(compressed) // 2], "a damaged one"),
        "truncated in its header": (compressed[:5], "a damaged one"),
        "corrupt": (compressed[:200] + bytes(20) + compressed[220:], "a damaged one"),
        "not gzip": (b"<!DOCTYPE html>", "one that begins with b'<!DOCTYP'"),
        "empty": (b"", "an empty file"),
        "idx cut in its header": (data[:9], "one that begins with"),
        "truncated before compression": (gzip.compress(data[:-1]), f"found {len(data) - 1:,}"),
        "longer": (gzip.compress(data + b"\0"), f"found {len(data) + 1:,}"),
        "one bit changed": (gzip.compress(flipped), f"found {hashlib.sha256(flipped).hexdigest()[:12]}"),
        "fewer images": (gzip.compress(struct.pack(">4I", 2051, 1, 28, 28) + bytes(784)), "shape (1, 28, 28)"),
        "labels": (gzip.compress(struct.pack(">2I", 2049, 20) + bytes(20)), "shape (20,)"),
        "floats": (gzip.compress(struct.pack(">4I", 0x0D03, 20, 28, 28)), "one that begins with"),
    }


@pytest.mark.parametrize("damage", damaged(bytes(1000)))
@pytest.mark.parametrize("place", ["named", "DATA", "DEBIAN"])
def test_damaged_idx_file(published, tmp_path, damage, place):
    folder = {"named": tmp_path / "named"}.get(place) or getattr(fashion_mnist, place)
    fill(folder, published)
    path = folder / "train-images-idx3-ubyte.gz"
    content, found = damaged(published["train-images"])[damage]
    path.write_bytes(content)
    text = sentence(folder=tmp_path / "named")
    assert text.startswith(f"{path}: expected ")
    assert found in text
    assert "remove or replace this file" in text
    assert not list(tmp_path.rglob("train-images.npy*"))


def test_swapped_labels(home):
    train, test = home / "train-labels-idx1-ubyte.gz", home / "t10k-labels-idx1-ubyte.gz"
    contents = train.read_bytes(), test.read_bytes()
    test.write_bytes(contents[0])
    train.write_bytes(contents[1])
    assert f"{train}: expected an idx file of shape (20,), found shape (10,)" in sentence()
    assert f"{test}: expected an idx file of shape (10,), found shape (20,)" in sentence("test")


@pytest.mark.parametrize("name", ["train-images-idx3-ubyte.gz", "train-images.npy"])
def test_unreadable_file(home, name):
    shutil.rmtree(home)
    (home / name).mkdir(parents=True)  # a folder cannot be read as a file, not even by root
    assert str(home / name) in (text := sentence())
    assert "it is a folder" in text or "Permission denied" in text  # the latter on Windows


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), "found: "),
        (lambda path: path.write_bytes(path.read_bytes()[:40]), "found: "),
        (lambda path: path.write_bytes(b""), "found: "),
        (lambda path: path.write_bytes(b"\x93NUMPY\x01\x00\x0a\x00{'descr': ("), "found: "),
        (lambda path: path.write_bytes(path.read_bytes() + b"\0"), "found uint8 (20, 784) in 15,809 bytes"),
        (lambda path: np.save(path, np.zeros((20, 784))), "found float64 (20, 784) in 125,568 bytes"),
        (lambda path: np.save(path, np.zeros((20, 28, 28), np.uint8)), "found uint8 (20, 28, 28) in 15,808 bytes"),
        (lambda path: shutil.copy(path.with_name("train-labels.npy"), path), "found uint8 (20,) in 148 bytes"),
    ],
    ids=["truncated", "in the header", "empty", "torn header", "longer", "floats", "not flat", "labels"],
)
def test_damaged_kept_file(home, damage, found):
    _ = load().train
    path = home / "train-images.npy"
    damage(path)
    text = sentence()
    assert text.startswith(f"{path}: expected ")
    assert "uint8 (20, 784)" in text
    assert found in text


def test_kept_labels_beyond_9(home):
    _ = load().train
    np.save(home / "train-labels.npy", np.full(20, 10, np.uint8))
    assert "train-labels.npy: expected labels from 0 to 9, found 10" in sentence()


# Disks


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EACCES])
@pytest.mark.parametrize("call", ["numpy.save", "os.fsync", "os.replace", "pathlib.Path.mkdir"])
def test_disk_that_cannot_be_written(home, monkeypatch, code, call):
    def refuse(*arguments, **settings):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(call, refuse)
    text = sentence()
    assert text.startswith(f"{home / 'train-images.npy'}: expected to write 15,680 bytes there, found: ")
    assert os.strerror(code) in text
    assert "FASHION_MNIST_DIR" in text
    assert {path.suffix for path in home.iterdir()} == {".gz"}


def test_named_folder_is_a_file(home, tmp_path):
    (tmp_path / "file").touch()
    assert str(tmp_path / "file" / "train-images.npy") in sentence(folder=tmp_path / "file")


def test_interrupted_write_leaves_nothing(home, published, monkeypatch):
    def interrupt(file, array):
        file.write(b"half")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(np, "save", interrupt)
        with pytest.raises(KeyboardInterrupt):
            _ = load().train
    assert {path.suffix for path in home.iterdir()} == {".gz"}
    (home / "train-images.npy.1a2b3c4d.tmp").write_bytes(b"half")  # what a kill at this point would leave
    assert_train(load().train, published)


def test_a_quicker_process_on_windows(home, published, monkeypatch):
    replace = os.replace

    def refuse(source, target):  # Windows: the other process has kept the file, and has it mapped
        replace(source, target)
        raise PermissionError(errno.EACCES, "Access is denied")

    monkeypatch.setattr(os, "replace", refuse)
    assert_train(load().train, published)


@pytest.mark.kernel
def test_processes_at_once(home):
    code = (
        "import sys, fashion_mnist as f\n"
        "from fashion_mnist import IdxFile\n"
        f"f.FILES = {FILES!r}\n"
        "sys.stdin.read()\n"  # all begin when their input closes
        f"train = f.load({str(home)!r}).train\n"
        "print(train.images.sum(), train.labels.sum())"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen([sys.executable, "-c", code], **pipes) for _ in range(4)]
    for process in processes:
        process.stdin.close()
    outputs = []
    for process in processes:
        with process:
            outputs.append(process.stdout.read())
    assert [process.returncode for process in processes] == [0] * 4
    assert outputs[0].strip()
    assert len(set(outputs)) == 1
    assert not list(home.glob("*.tmp"))


# Downloads, from a server on this machine


@pytest.fixture
def server(published, monkeypatch):
    """Serves the files below /whole/, and below other paths in every wrong way; `requests` lists what was asked for."""
    bodies = {f"{UPSTREAM[name]}.gz": gzip.compress(data) for name, data in published.items()}
    requests, stop = [], threading.Event()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            requests.append(self.path)
            _, way, filename = self.path.split("/")
            body = {"garbage": b"<!DOCTYPE html>"}.get(way, bodies[filename])
            length = len(body)
            if way in ("truncated", "interrupted", "stalled"):
                body = body[: length // 2]
            self.send_response({"missing": 404, "broken": 500}.get(way, 200))
            self.send_header("Content-Length", str(len(body) if way == "truncated" else length))
            self.end_headers()
            with contextlib.suppress(ConnectionError):
                self.wfile.write(body)
            if way == "stalled":
                stop.wait(10)

        def log_message(self, *arguments):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http_server:
        threading.Thread(target=http_server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        address = f"http://127.0.0.1:{http_server.server_port}"

        def use(*ways):
            monkeypatch.setattr(fashion_mnist, "SOURCES", tuple(f"{address}/{way}/" for way in ways))

        monkeypatch.setattr(sources, "TIMEOUT", (5, 0.3))
        yield SimpleNamespace(use=use, requests=requests, address=address)
        stop.set()
        http_server.shutdown()


WRONG = {
    "missing": "404 Client Error",
    "broken": "500 Server Error",
    "garbage": "found one that begins with b'<!DOCTYP'",
    "truncated": "found a damaged one",
    "interrupted": "IncompleteRead",
    "stalled": "timed out",
}


def test_download(server, published, capsys):
    server.use("whole")
    assert_train(load().train, published)
    assert server.requests == ["/whole/train-images-idx3-ubyte.gz", "/whole/train-labels-idx1-ubyte.gz"]
    assert sorted(path.name for path in fashion_mnist.DATA.iterdir()) == ["train-images.npy", "train-labels.npy"]
    assert capsys.readouterr().err.splitlines() == [
        f"Fetching {filename} from {server.address}/whole/"
        for filename in ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz")
    ]
    server.use()
    assert_train(load().train, published)  # from now on without the network


def test_download_shows_a_bar_in_a_terminal(server, monkeypatch, capsys):
    server.use("whole")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    _ = load().train
    assert "100%" in capsys.readouterr().err


@pytest.mark.parametrize("way", WRONG)
def test_download_goes_on_to_the_next_source(server, published, way):
    server.use(way, "whole")
    assert_train(load().train, published)
    assert server.requests[:2] == [f"/{way}/train-images-idx3-ubyte.gz", "/whole/train-images-idx3-ubyte.gz"]


@pytest.mark.parametrize("way", WRONG)
def test_download_that_fails_is_never_taken_for_a_whole_one(server, way):
    server.use(way)
    text = sentence()
    assert f"{server.address}/{way}/train-images-idx3-ubyte.gz (" in text
    assert WRONG[way] in text
    assert not fashion_mnist.DATA.exists()


def test_every_source_that_was_tried_is_named(server):
    server.use(*WRONG)
    text = sentence()
    assert text.startswith("train-images: expected train-images-idx3-ubyte.gz in ")
    for way, reason in WRONG.items():
        assert f"/{way}/train-images-idx3-ubyte.gz (" in text
        assert reason in text


def test_no_network(published, monkeypatch):
    with http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as closed:
        address = f"http://127.0.0.1:{closed.server_port}/"
    monkeypatch.setattr(fashion_mnist, "SOURCES", (address,))
    text = sentence()
    assert f"{address}train-images-idx3-ubyte.gz (" in text
    assert "refused" in text
    assert "connect to the network" in text
    assert f"put train-images-idx3-ubyte.gz into {fashion_mnist.DATA}" in text


# Debian's package, with stand-ins for apt-get and dpkg-deb


@pytest.fixture
def debian(published, tmp_path, monkeypatch):
    """Puts stand-ins on the path; `commands` is the file that they write their first argument but options to."""
    if os.name == "nt":
        pytest.skip("the stand-ins are shell scripts")
    package = fill(tmp_path / "package", published)
    commands = tmp_path / "commands"
    scripts = {
        "apt-get": f'while case "$1" in -*) ;; *) false;; esac; do shift; done\n'
        f'echo "$1" >> "{commands}"\nif [ "$1" = download ]; then touch "$2_1.0_all.deb"; fi',
        "dpkg-deb": f"echo unpack >> '{commands}'\n"
        f'target="$3{fashion_mnist.DEBIAN}"\nmkdir -p "$target"\ncp "{package}"/* "$target"',
    }
    (tmp_path / "bin").mkdir()
    for name, script in scripts.items():
        (tmp_path / "bin" / name).write_text(f"#!/bin/sh\nset -e\n{script}\n")
        (tmp_path / "bin" / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    monkeypatch.setattr(shutil, "which", lambda command: f"/bin/{command}")
    return SimpleNamespace(commands=commands, bin=tmp_path / "bin")


def test_debian_package_is_fetched_once(server, debian, published):
    server.use("missing")
    data = load()
    assert_train(data.train, published)
    assert data.test.images.tobytes() == published["test-images"][16:]
    assert debian.commands.read_text().split() == ["update", "download", "unpack"]
    assert server.requests == ["/missing/train-images-idx3-ubyte.gz"]  # the package, once unpacked, comes first


def test_debian_package_is_the_last_source(server, debian, published):
    server.use("whole")
    assert_train(load().train, published)
    assert not debian.commands.exists()


@pytest.mark.parametrize("command", ["apt-get", "dpkg-deb"])
def test_debian_package_that_cannot_be_had(debian, command):
    (debian.bin / command).write_text("#!/bin/sh\necho 'E: Unable to locate package' >&2; exit 100\n")
    text = sentence()
    assert "Debian's package dataset-fashion-mnist (" in text
    assert ("E: Unable to locate package" if command == "apt-get" else "exit status 100") in text


# python fashion_mnist.py


def test_main_says_where_each_file_is(home, capsys):
    for origin in ("from ", "kept earlier"):
        fashion_mnist.main()
        lines = capsys.readouterr().out.splitlines()
        assert [line.partition(":")[0] for line in lines] == list(FILES)
        for name, line in zip(FILES, lines, strict=True):
            assert str(home / f"{name}.npy") in line
            assert origin in line
            assert line.endswith("SHA-256 verified")


def test_main_finds_a_kept_file_with_one_bit_changed(home):
    images = load().test.images.copy()
    images[5, 300] ^= 1
    np.save(home / "test-images.npy", images)
    with pytest.raises(
        SystemExit, match=r"test-images.npy: expected SHA-256 .*, found .*; remove or replace this file"
    ):
        fashion_mnist.main()


@pytest.mark.kernel
def test_command_line_ends_with_1_and_a_sentence(tmp_path):
    np.save(tmp_path / "train-images.npy", np.zeros(3))
    done = subprocess.run(
        [sys.executable, fashion_mnist.__file__],
        env=os.environ | {"FASHION_MNIST_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith(f"{tmp_path / 'train-images.npy'}: expected uint8 (60000, 784) in 47,040,128 bytes")
    assert len(done.stderr.splitlines()) == 1


# The validation split


def numbered(n: int) -> Split:
    """n images whose every pixel, and whose label, tell which one it is."""
    number = np.arange(n)
    return Split(np.stack([number // 256, number % 256], axis=1).astype(np.uint8), (number % 10).astype(np.uint8))


def numbers(part: Split) -> np.ndarray:
    return part.images[:, 0].astype(int) * 256 + part.images[:, 1]


def test_split_is_disjoint_and_together_everything():
    train, validation = split(numbered(60_000), seed=7)
    assert len(train.labels) == 54_000
    assert len(validation.labels) == 6_000
    together = np.concatenate([numbers(train), numbers(validation)])
    assert np.array_equal(np.sort(together), np.arange(60_000))
    assert not np.array_equal(together, np.arange(60_000))
    for part in (train, validation):
        np.testing.assert_array_equal(part.labels, numbers(part) % 10)


def test_split_follows_its_seed_alone():
    np.random.seed(3)  # noqa: NPY002 - the global state is what must not matter, nor change
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    first, again, other = (numbers(split(numbered(1000), seed=seed)[1]) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002


def test_split_uses_the_third_child_of_the_seed():
    order = np.random.default_rng(5).spawn(3)[2].permutation(50)
    train, validation = split(numbered(50), seed=5, fraction=0.2)
    np.testing.assert_array_equal(np.concatenate([numbers(validation), numbers(train)]), order)


@pytest.mark.parametrize("fraction", [0, 1, -0.1, 1.5, float("nan"), True, "0.1", None])
def test_split_refuses_a_fraction(fraction):
    with pytest.raises(ValueError, match="fraction must lie between 0 and 1"):
        split(numbered(100), seed=0, fraction=fraction)


@pytest.mark.parametrize(("n", "fraction"), [(4, 0.1), (4, 0.9), (0, 0.5)])
def test_split_refuses_to_leave_a_part_empty(n, fraction):
    with pytest.raises(ValueError, match=f"fraction {fraction} of {n} images leaves a part empty"):
        split(numbered(n), seed=0, fraction=fraction)


@pytest.mark.parametrize("seed", [None, -1, 0.5, "0"])
def test_split_refuses_a_seed(seed):
    with pytest.raises(ValueError, match="seed must be a whole number"):
        split(numbered(100), seed=seed)


# The real thing


@pytest.fixture
def real():
    """The project's own data/, as `make data` leaves it."""
    if not all((PROJECT_DATA / f"{name}.npy").exists() for name in FILES):
        reason = "needs the real data: run `make data`"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    return PROJECT_DATA


def test_real_files_are_the_published_ones(real, monkeypatch, capsys):
    monkeypatch.setenv("FASHION_MNIST_DIR", str(real))
    fashion_mnist.main()
    assert capsys.readouterr().out.count("verified") == 4


def test_real_statistics(real):
    images, labels = load(real).train
    assert images.shape == (60_000, 784)
    assert np.bincount(labels).tolist() == [6000] * 10
    assert np.bincount(load(real).test.labels).tolist() == [1000] * 10
    frequency = sum(np.bincount(part.ravel(), minlength=256) for part in np.split(images, 100)) / images.size
    values = np.arange(256) / 255
    mean = frequency @ values
    assert mean == pytest.approx(0.2860, abs=5e-5)
    assert math.sqrt(frequency @ values**2 - mean**2) == pytest.approx(0.3530, abs=5e-5)


def test_kept_files_are_mapped_and_neither_decompressed_nor_read_whole(real, monkeypatch):
    """Opening costs next to nothing: of the images, not even a page is read."""
    for work in ("decompress", "sha256"):
        monkeypatch.delattr({"decompress": gzip, "sha256": hashlib}[work], work)
    images = load(real).train.images
    assert isinstance(images.base, np.memmap)
    assert not images.flags.writeable


# --- fewer images ---


def test_first_takes_so_many_or_as_many_as_there_are():
    few = Split(np.arange(6).reshape(3, 2), np.arange(3))
    for limit, n in ((None, 3), (1, 1), (np.int64(2), 2), (3, 3), (10**30, 3)):
        some = few.first(limit)
        assert some.images.tolist() == few.images.tolist()[:n]
        assert some.labels.tolist() == few.labels.tolist()[:n]


@pytest.mark.parametrize("limit", [0, -5, 1.5, "3", float("nan")])
def test_first_refuses_what_is_no_number_of_images(limit):
    """A slice would take nearly all of them for -5."""
    with pytest.raises(ValueError, match="limit must be a whole number of images, 1 or more, or None for all, not"):
        Split(np.zeros((3, 2)), np.zeros(3)).first(limit)
