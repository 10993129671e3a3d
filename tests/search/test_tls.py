"""A scheduler that demands certificates: sweeps run on it, and what is missing or wrong is named in a sentence."""

import os
import shutil
import subprocess

import dask
import pytest

from dask_kit import Room
from lab.search import cluster, sweep
from sweep_kit import definition, run

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.usefixtures("place"),
    pytest.mark.skipif(not shutil.which("openssl"), reason="makes its certificates with openssl"),
]
TLS = "distributed.comm.tls"
NEW = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1"
PLAN = definition("grid", {"layers": {"values": [2, 3]}})


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """A folder with an authority's certificate, one that it has signed, one of somebody else's, and their keys."""
    folder = tmp_path_factory.mktemp("desk")

    def openssl(words):
        subprocess.run(["openssl", *words.split()], cwd=folder, check=True, capture_output=True)

    for name in ("ca", "other"):
        openssl(f"req -x509 {NEW} -nodes -days 2 -subj /CN={name} -keyout {name}.key -out {name}.pem")
    openssl(f"req {NEW} -nodes -subj /CN=room -keyout room.key -out room.csr")
    openssl("x509 -req -in room.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -out room.pem")
    openssl("ec -in room.key -aes128 -passout pass:mark3d-word -out locked.key")
    (folder / "garbage.pem").write_text("no certificate")
    return folder


@pytest.fixture(scope="module")
def room(desk):
    files = {"ca_file": "ca.pem"}
    files |= {f"{who}__{what}": f"room.{end}" for who in ("scheduler", "worker") for what, end in PARTS}
    variables = {f"DASK_DISTRIBUTED__COMM__TLS__{key.upper()}": str(desk / name) for key, name in files.items()}
    room = Room(DASK_DISTRIBUTED__COMM__DEFAULT_SCHEME="tls", **variables)
    yield room
    room.close()


PARTS = (("cert", "pem"), ("key", "key"))


def trusting(desk, ca="ca.pem", cert="room.pem", key="room.key"):
    """Dask's configuration for the block."""
    given = {f"{TLS}.ca-file": ca, f"{TLS}.client.cert": cert, f"{TLS}.client.key": key}
    return dask.config.set({name: file and str(desk / file) for name, file in given.items()})


@pytest.mark.parametrize("way", ["address", "file"])
def test_a_sweep_runs_with_certificates_and_no_key_is_in_any_file(way, desk, room, notebook, tmp_path, capfd):
    room.worker(JOURNAL=os.environ["JOURNAL"])
    with trusting(desk):
        table = run(PLAN, notebook=notebook, cluster=room.address if way == "address" else str(room.file))
    assert list(table.status) == ["finished"] * 2
    assert room.address.startswith("tls://")
    key = (desk / "room.key").read_text().splitlines()[1]
    files = [path for place in (tmp_path, room.folder) for path in place.rglob("*") if path.is_file()]
    texts = [path.read_bytes() for path in files] + [capfd.readouterr().out.encode()]
    assert not [text for text in texts if key.encode() in text]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (dict(ca=None, cert=None, key=None), "asks for certificates, and Dask's configuration has no {TLS}.ca-file: "),
        (dict(cert=None, key=None), "asks for certificates, and Dask's configuration has no {TLS}.client.cert: "),
        (dict(cert="missing.pem"), "{TLS}.client.cert is {desk}/missing.pem, which cannot be read (No such file or"),
        (dict(ca="missing.pem"), "{TLS}.ca-file is {desk}/missing.pem, which cannot be read (No such file or"),
        (dict(key="locked.key"), "{TLS}.client.key is {desk}/locked.key, which asks for a password"),
        (dict(key=None), "certificates that cannot be used ("),
        (dict(key="other.key"), "certificates that cannot be used (key values mismatch"),
        (dict(ca="garbage.pem"), "certificates that cannot be used ("),
        (dict(cert="garbage.pem"), "certificates that cannot be used ("),
        (dict(cert="other.pem", key="other.key"), "no trust between the driver and tls://"),
        (dict(ca="other.pem"), "no trust between the driver and tls://"),
    ],
    ids=str,
)
def test_what_is_missing_or_wrong_is_named(given, sentence, desk, room, notebook, capfd):
    with trusting(desk, **given), pytest.raises(sweep.SweepError) as refusal:
        run(PLAN, notebook=notebook, cluster=room.address)
    said = str(refusal.value)
    assert sentence.format(TLS=TLS, desk=desk) in said
    assert room.address in said
    assert "dask scheduler`" not in said
    assert capfd.readouterr() == ("", "")


def test_an_address_without_certificates_is_no_way_to_it(room, notebook, monkeypatch):
    monkeypatch.setattr(cluster, "ANSWER", 2)
    with pytest.raises(sweep.SweepError, match=r"no scheduler answers at tcp://.*, or tls://host:8786 if it"):
        run(PLAN, notebook=notebook, cluster=room.address.replace("tls", "tcp"))


def test_a_scheduler_without_certificates_is_not_spoken_to_as_if_it_had_any(desk, notebook, monkeypatch):
    monkeypatch.setattr(cluster, "ANSWER", 2)
    bare = Room()
    try:
        with (
            trusting(desk),
            pytest.raises(sweep.SweepError, match=r"it must be a scheduler with certificates|no schedul"),
        ):
            run(PLAN, notebook=notebook, cluster=bare.address.replace("tcp", "tls"))
    finally:
        bare.close()


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"address": 3}', '{"address": "here"}'])
def test_a_file_that_is_no_scheduler_s_is_named(content, notebook, tmp_path):
    (tmp_path / "scheduler.json").write_text(content)
    with pytest.raises(sweep.SweepError, match=r"scheduler\.json is neither an address nor a scheduler's file: start"):
        run(PLAN, notebook=notebook, cluster=str(tmp_path / "scheduler.json"))
