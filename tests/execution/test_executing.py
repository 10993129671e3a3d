"""Notebooks in kernels, forked and started: what they see, how they are stopped, and that nothing is left of them."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import nbformat
import psutil
import pytest

from lab.execution import forking
from lab.execution.executing import ExecutionError, Kernels
from lab.execution.forking import CAN_FORK

pytestmark = pytest.mark.kernel
WAYS = [pytest.param(["json"], id="forked", marks=pytest.mark.skipif(not CAN_FORK, reason="forks only on Linux"))]
WAYS += [pytest.param(None, id="started")]
LOOK = """
import json, os, sys, threadpoolctl
import numpy as np
from pathlib import Path
seen = dict(pid=os.getpid(), folder=os.getcwd(), path=sys.path, name=__name__, x=x)
seen |= dict(mine=os.environ.get("MINE"), own=os.environ.get("OWN"), inherited="INHERITED" in os.environ)
seen |= dict(threads=threadpoolctl.threadpool_info()[0]["num_threads"], drawn=float(np.random.rand()))
Path(place).write_text(json.dumps(seen))
"""


@pytest.fixture
def book(tmp_path):
    """`book(source)` is a notebook with parameters `x` and `place`, and one cell more."""

    def write(source, kernel="python3"):
        cells = [nbformat.v4.new_code_cell('x = 0\nplace = ""', metadata={"tags": ["parameters"]})]
        cells.append(nbformat.v4.new_code_cell(source))
        spec = {"name": kernel, "display_name": kernel, "language": "python"}
        path = tmp_path / "book.ipynb"
        nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": spec}), path)
        return path

    return write


@pytest.fixture
def begun():
    """`begun()` are the Python processes below this one that are new since the test began: browsers are others'."""
    before = set(psutil.Process().children(recursive=True))

    def begun():
        below = set(psutil.Process().children(recursive=True)) - before
        return [process for process in below if "python" in process.name()]

    return begun


def wait_for(condition, process=None):
    until = time.monotonic() + 120  # only so that a fault does not hang
    while not condition():
        assert time.monotonic() < until
        assert process is None or process.poll() is None
        time.sleep(0.02)


@pytest.mark.parametrize("preload", WAYS)
def test_a_kernel_sees_what_a_process_of_its_own_would(preload, book, tmp_path, monkeypatch, begun):
    elsewhere = tmp_path / "else where"
    elsewhere.mkdir()
    monkeypatch.setenv("INHERITED", "1")
    path, seen = book(LOOK), []
    with Kernels({"MINE": "ä", "OPENBLAS_NUM_THREADS": "2"}, tmp_path / "log", preload) as kernels:
        for x in range(3):
            if x == 2:  # what was started with is not kept: the one that is ready does not fit any more
                monkeypatch.delenv("INHERITED")
                monkeypatch.chdir(elsewhere)
            own = {"OWN": "b"} if x == 1 else {}
            kernels.execute(path, tmp_path / "out.ipynb", {"x": x, "place": str(tmp_path / "seen")}, 100, own)
            seen.append(json.loads((tmp_path / "seen").read_text()))
    assert [one["x"] for one in seen] == [0, 1, 2]
    assert [one["own"] for one in seen] == [None, "b", None]
    assert [one["inherited"] for one in seen] == [True, True, False]
    assert [Path(one["folder"]) for one in seen] == [Path(__file__).parents[2]] * 2 + [elsewhere]
    assert {one["mine"] for one in seen} == {"ä"}
    path = subprocess.run([sys.executable, "-c", "import sys; print(*sys.path[1:], sep='\\n')"], stdout=subprocess.PIPE)
    assert [entry for entry in seen[0]["path"] if entry] == path.stdout.decode().split("\n")[:-1]
    assert "" in seen[0]["path"]  # the working directory
    assert seen[1]["path"] == seen[2]["path"] == seen[0]["path"]
    assert {one["name"] for one in seen} == {"__main__"}
    assert {one["threads"] for one in seen} == {min(2, os.cpu_count() or 1)}
    assert len({one["pid"] for one in seen}) == 3
    assert len({one["drawn"] for one in seen}) == 3
    assert not any(psutil.pid_exists(one["pid"]) for one in seen)
    assert begun() == []


@pytest.mark.parametrize("preload", WAYS)
def test_what_ends_a_notebook_early_is_said_in_a_line(preload, book, tmp_path, begun):
    with Kernels({}, tmp_path / "log", preload) as kernels:
        with pytest.raises(ExecutionError, match=r"^ValueError: what went wrong$") as failed:
            kernels.execute(book('raise ValueError("what went\\nwrong")'), tmp_path / "out.ipynb", {})
        assert not failed.value.died
        with pytest.raises(ExecutionError, match=r"its kernel (died|ended by itself, with exit code 3)$") as died:
            kernels.execute(book("import os\nos._exit(3)"), tmp_path / "out.ipynb", {})
        assert died.value.died
        with pytest.raises(TimeoutError, match=r"the run took longer than 1 s"):
            kernels.execute(book("import time\ntime.sleep(600)"), tmp_path / "out.ipynb", {}, 1)
        with pytest.raises(ExecutionError, match=r"^ValueError: in time$") as failed:
            kernels.execute(book("raise ValueError('in time')"), tmp_path / "out.ipynb", {}, 600)
        assert failed.value.__cause__ is not failed.value
        kernels.execute(book("import os\nos.write(2, b'to the log')"), tmp_path / "out.ipynb", {})
    assert begun() == []


@pytest.mark.parametrize("preload", WAYS)
def test_what_a_kernel_says_outside_its_notebook_is_in_the_log(preload, book, tmp_path):
    with Kernels({}, tmp_path / "log", preload) as kernels:
        source = "import faulthandler\nfaulthandler.enable()\nfaulthandler._sigsegv()"
        with pytest.raises(ExecutionError, match="died"):
            kernels.execute(book(source), tmp_path / "out.ipynb", {})
    assert "Segmentation fault" in (tmp_path / "log").read_text()


@pytest.mark.parametrize("preload", WAYS)
@pytest.mark.parametrize("kill", [False, True])
def test_all_that_run_can_be_interrupted_or_killed(preload, kill, book, tmp_path):
    source = "from pathlib import Path\nPath(place).touch()\ntry:\n    import time\n    time.sleep(600)\n"
    source += "except KeyboardInterrupt:\n    Path(place + '.said').touch()\n    raise\n"
    path, errors = book(source), []

    def run(name):
        with pytest.raises(ExecutionError) as error:
            kernels.execute(path, tmp_path / f"{name}.ipynb", {"place": str(tmp_path / name)})
        errors.append(error.value)

    with Kernels({}, tmp_path / "log", preload) as kernels:
        threads = [threading.Thread(target=run, args=(name,)) for name in ("one", "two")]
        for thread in threads:
            thread.start()
        wait_for(lambda: (tmp_path / "one").exists() and (tmp_path / "two").exists())
        kernels.stop(kill=kill)
        for thread in threads:
            thread.join()
    assert [error.died for error in errors] == [kill] * 2
    assert all(str(error).startswith("KeyboardInterrupt") for error in errors) is not kill
    assert (tmp_path / "one.said").exists() is (tmp_path / "two.said").exists() is not kill


@pytest.mark.parametrize("preload", WAYS)
def test_a_notebook_that_names_another_kernel_gets_it(preload, book, tmp_path, monkeypatch):
    folder = tmp_path / "jupyter" / "kernels" / "other"
    folder.mkdir(parents=True)
    argv = [sys.executable, "-X", "dev", "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": argv, "display_name": "other", "language": "python", "env": {"OTHER": "1"}}
    (folder / "kernel.json").write_text(json.dumps(spec))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    source = "import os, sys\nassert sys.flags.dev_mode\nassert os.environ['OTHER'] == '1'"
    with Kernels({}, tmp_path / "log", preload) as kernels:
        kernels.execute(book(source, "other"), tmp_path / "out.ipynb", {})
        with pytest.raises(ExecutionError, match="AssertionError"):  # one that is not installed is Python's own
            kernels.execute(book(source, "missing"), tmp_path / "out.ipynb", {})


@pytest.mark.skipif(not CAN_FORK, reason="forks only on Linux")
def test_a_template_that_is_killed_takes_its_kernels_with_it_and_is_replaced(book, tmp_path, begun):
    path = book("import os, time\nfrom pathlib import Path\nPath(place).write_text(str(os.getpid()))\ntime.sleep(x)")
    with Kernels({}, tmp_path / "log", []) as kernels:
        killer = threading.Thread(target=lambda: (wait_for((tmp_path / "pid").exists), kill_template()))

        def kill_template():
            [template] = [process for process in begun() if process.ppid() == os.getpid()]
            template.kill()

        killer.start()
        with pytest.raises(ExecutionError, match=r"its kernel (died|was killed)") as died:
            kernels.execute(path, tmp_path / "out.ipynb", {"x": 100, "place": str(tmp_path / "pid")})
        killer.join()
        assert died.value.died
        wait_for(lambda: not psutil.pid_exists(int((tmp_path / "pid").read_text())))
        kernels.execute(path, tmp_path / "out.ipynb", {"x": 0, "place": str(tmp_path / "pid")})
    assert begun() == []


@pytest.mark.skipif(not CAN_FORK, reason="forks only on Linux")
@pytest.mark.parametrize(
    "source", ["print('{')", "import os\nos.write(1, b'3\\n' * 9)", "import sys\nsys.exit(3)", "1 / 0"]
)
def test_whatever_a_module_does_when_it_is_imported_beforehand_kernels_start(
    source, book, tmp_path, monkeypatch, begun
):
    """Somebody who works on a module here prints something in it, say, or breaks it."""
    (tmp_path / "noisy.py").write_text(source)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with Kernels({}, tmp_path / "log", ["noisy"]) as kernels:
        for _ in range(2):
            kernels.execute(book("import os"), tmp_path / "out.ipynb", {}, 100)
    assert begun() == []


@pytest.mark.skipif(not CAN_FORK, reason="forks only on Linux")
def test_a_template_that_says_nothing_is_not_waited_for_and_ends(book, tmp_path, monkeypatch, begun):
    monkeypatch.setattr(forking, "ANSWER", 1)
    (tmp_path / "endless.py").write_text("import time\ntime.sleep(3600)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with Kernels({}, tmp_path / "log", ["endless"]) as kernels:
        kernels.execute(book("import os"), tmp_path / "out.ipynb", {}, 100)
    assert begun() == []


DRIVE = """
import sys
from pathlib import Path
from lab.execution.executing import Kernels
book, out, place, forked = sys.argv[1:]
with Kernels({}, None, ["json"] if forked == "True" else None) as kernels:
    kernels.execute(Path(book), Path(out), {"place": place})
"""


@pytest.mark.parametrize("preload", WAYS)
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_driver_that_is_killed_leaves_no_process(preload, number, book, tmp_path):
    path = book("import time\nfrom pathlib import Path\nPath(place).touch()\ntime.sleep(600)")
    command = [sys.executable, "-c", DRIVE, path, tmp_path / "out.ipynb", tmp_path / "began", str(bool(preload))]
    driver = subprocess.Popen(command)
    try:
        wait_for((tmp_path / "began").exists, driver)
        below = psutil.Process(driver.pid).children(recursive=True)
        assert len(below) >= (3 if preload else 1)  # the template, the kernel, and the one that is ready
    finally:
        driver.send_signal(number)
        driver.wait()
    psutil.wait_procs(below, timeout=120)
    assert not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in below)


@pytest.mark.parametrize("preload", WAYS)
def test_a_kernel_that_dies_is_an_exception_and_nothing_in_red(preload, book, tmp_path, caplog):
    """Interrupting a sweep in JupyterLab kills kernels, and papermill's log would show each there."""
    with Kernels({}, tmp_path / "log", preload) as kernels:
        with pytest.raises(ExecutionError) as error:
            kernels.execute(book("import os; os.kill(os.getpid(), 9)"), tmp_path / "out.ipynb", {})
        assert error.value.died
    assert "Kernel died" not in caplog.text


DEATHS = {
    "os.kill(os.getpid(), 9)": r"was killed \(SIGKILL\), as by a system that runs out of memory: `dmesg` tells whether",
    "os.kill(os.getpid(), 11)": r"died of SIGSEGV: kernels\.log may hold what it said last$",
    "os._exit(3)": "ended by itself, with exit code 3$",
}


@pytest.mark.parametrize("preload", WAYS)
def test_what_a_kernel_died_of_is_a_sentence_that_says_where_to_look(preload, book, tmp_path):
    with Kernels({}, tmp_path / "log", preload) as kernels:
        for how, sentence in DEATHS.items():
            with pytest.raises(ExecutionError, match=f"^its kernel {sentence}"):
                kernels.execute(book(f"import os; {how}"), tmp_path / "out.ipynb", {})


def test_braces_in_a_path_are_a_part_of_it(book, tmp_path):
    folder = tmp_path / "{x} {y} {{z}}"
    folder.mkdir()
    with Kernels({}) as kernels:
        kernels.execute(book("print(x)").rename(folder / "book.ipynb"), folder / "out.ipynb", {"x": 3})
    assert {path.name for path in folder.iterdir()} == {"book.ipynb", "out.ipynb"}
