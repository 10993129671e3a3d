"""Notebooks executed with their provenance, and rendered to `reports/`: `python report.py --help`."""

import sys

from common.streams import interruptible

with interruptible(program=__name__ == "__main__"):
    from lab.pages.command import main

if __name__ == "__main__":
    sys.exit(main())
