"""W&B's client, sending what runs have kept offline: python -m lab.tracking.sending FILE ...

It ends with its standard input, which the death of whoever started it closes.
"""

import os
import sys
import threading

from lab.tracking.client import imported, said


def main(files: list[str]) -> None:
    """Send the files, if W&B's server takes the key."""
    threading.Thread(target=_end_with_input, daemon=True).start()
    try:
        if not imported().login(prompt=False, verify=True):
            sys.exit("ERROR no key of W&B's is known here, for which `wandb login` asks")
    except Exception as error:  # what W&B raises for a setting has no common base
        sys.exit(f"ERROR {said(error)}: check the network, and the key with `wandb login --relogin`")
    from wandb.cli.cli import cli

    cli(["sync", *files])


def _end_with_input() -> None:
    while os.read(0, 1):  # and not by sys.stdin, which could not be closed meanwhile
        continue
    os._exit(1)


if __name__ == "__main__":
    main(sys.argv[1:])
