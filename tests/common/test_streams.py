"""Nobody needs to listen: what prints goes on, and says so by its exit code where output is lost on a full disk."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

PRINT = """
import sys
from common.streams import forgive
forgive()
forgive()
for k in range(100):
    print("α" * 1000, flush=k % 2)
    print("β", file=sys.stderr)
open(sys.argv[1], "w").write("went on")
"""


def go_on(folder, command="{}", **options):
    """Run it in a shell, with its streams as the command says; whether it went on, and its exit code."""
    words = f"'{sys.executable}' -c '{PRINT}' '{folder / 'done'}'"
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    result = subprocess.run(["bash", "-c", command.format(words)], timeout=60, **options)
    return (folder / "done").exists(), result


@pytest.mark.kernel
@pytest.mark.parametrize("command", ["{} >&-", "{} 2>&-", "{} >&- 2>&-", "set -o pipefail; {} | head -1"])
def test_where_nobody_listens_it_goes_on(command, tmp_path):
    done, result = go_on(tmp_path, command)
    assert (done, result.returncode) == (True, 0)
    assert b"Error" not in result.stderr


@pytest.mark.kernel
def test_what_a_terminal_lacks_is_replaced(tmp_path):
    done, result = go_on(tmp_path, env=os.environ | {"PYTHONIOENCODING": "ascii"})
    assert done
    assert result.stdout.startswith(b"????")


@pytest.mark.kernel
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="without such a device")
def test_what_is_lost_on_a_full_disk_is_an_error(tmp_path):
    done, result = go_on(tmp_path, "{} >/dev/full")
    assert not done
    assert result.returncode != 0
    assert b"No space left on device" in result.stderr


SLOW = """
import time
print("importing", flush=True)
try:
    time.sleep(60)
except BaseException as error:
    raise ImportError("lost") from error
"""


@pytest.mark.kernel
@pytest.mark.parametrize("front", ["sweep.py", "report.py"])
def test_ctrl_c_while_a_front_door_imports_ends_it_silently(front, tmp_path):
    (tmp_path / "yaml.py").write_text(SLOW)
    command = [sys.executable, Path(__file__).parents[2] / front, "--help"]
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(tmp_path)}, **options) as process:
        assert process.stdout.readline() == "importing\n"
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=50) == ("", "")
    assert process.returncode == 130


IMPORTED = """
import signal
raise SystemExit("kept" if signal.getsignal(signal.SIGINT) is signal.default_int_handler else "taken")
"""


@pytest.mark.kernel
@pytest.mark.parametrize("front", ["sweep", "report"])
def test_who_imports_a_front_door_keeps_their_own_ctrl_c(front, tmp_path):
    """A notebook's kernel would end with it."""
    (tmp_path / "yaml.py").write_text(IMPORTED)
    code = f"import signal; signal.signal(signal.SIGINT, signal.default_int_handler); import {front}"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join((str(tmp_path), str(Path(__file__).parents[2])))}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.stderr == "kept\n"
