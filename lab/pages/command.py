"""Executed notebooks become reports: every page is one file that needs no network.

    python report.py run notebooks/01_dataset.ipynb -p seed 1    execute it into runs/notebooks/
    python report.py build                                       render runs/notebooks/ to reports/
    python report.py summary                                     say where the reports are, and the headline numbers

An executed notebook carries its provenance (commit, parameters, versions, ...) in its metadata, and building adds
nothing to it: the same executed notebooks give the same pages, byte for byte.
"""

from __future__ import annotations

import argparse
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from common.files import explained
from common.streams import forgive
from common.words import brief, masked
from lab.execution.notebook import NotebookError
from lab.pages.refusals import ReportError
from lab.pages.results import results
from lab.pages.running import run
from lab.pages.site import build
from lab.tracking import REPOSITORY as ROOT
from lab.tracking import runs_root


def _value(text: str) -> Any:
    """A parameter's value, written as in YAML."""
    try:
        value = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ReportError(f"the value {text[:80]} is not YAML that can be read: put quotes around it") from error
    if value == text:  # a string without quotes
        with suppress(ValueError):
            return float(value)  # YAML 1.1 takes 1e-4 for one
    for item in value if isinstance(value, list) else [value]:
        if item is not None and not isinstance(item, str | int | float):
            raise ReportError(
                f"the value {text[:80]} is not a number, a string, true, false or null, nor a list of these"
            )
    return value


def main(arguments: list[str] | None = None) -> int:
    """Do as the `arguments` say; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    runner = commands.add_parser("run", help="execute a notebook into runs/notebooks/")
    runner.add_argument("notebook", type=Path)
    runner.add_argument("-p", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"), help="set a parameter")
    commands.add_parser("build", help="render the executed notebooks to reports/")
    commands.add_parser("summary", help="say where the reports are, and the headline numbers")
    index = ROOT / "reports" / "index.html"
    try:
        options = parser.parse_args(arguments)
        forgive()
        if options.command == "run":
            print(run(options.notebook, {name: _value(text) for name, text in options.p}))
        elif options.command == "build":
            print(build(ROOT / "notebooks", runs_root() / "notebooks", index.parent, ROOT / "README.md"))
        elif not index.exists():
            raise ReportError(f"{index} does not exist yet: make builds it")
        else:
            for label, entry in results(runs_root()).items():
                print(f"{label}: {entry['value']}", f"({entry['note']})" if entry["note"] else "")
            print(f"Reports: {index}")
    except (ReportError, NotebookError, OSError) as error:
        print(brief(f"report.py: {masked(explained(error))}"), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0
