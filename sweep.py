"""Hyper-parameter sweeps from the command line, with or without W&B: `python sweep.py --help`."""

import sys

from common.streams import interruptible

with interruptible(program=__name__ == "__main__"):
    from lab.search.command import main

if __name__ == "__main__":
    sys.exit(main())
