"""What a program prints must not be what ends it: nobody may be listening, or lack a character."""

import io
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager


def forgive() -> None:
    """Let printing go on where output is closed, or whoever read it is gone, and replace characters that it lacks.

    A full disk is an error as before: what was to be kept there is lost.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed before the start
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115  (for as long as this process)
        elif stream is getattr(sys, f"__{name}__") and not isinstance(getattr(stream.buffer, "raw", None), _Pipe):
            stream.flush()
            raw = io.BufferedWriter(_Pipe(stream.fileno(), "w", closefd=False))
            settings = {"encoding": stream.encoding, "line_buffering": stream.line_buffering}
            setattr(sys, name, io.TextIOWrapper(raw, errors="replace", **settings))
        else:
            stream.reconfigure(errors="replace")


@contextmanager
def interruptible(*, program: bool) -> Iterator[None]:
    """Let Ctrl-C end a `program` at once, and silently, while the block imports what takes a while.

    As an exception it would be lost in one of a thousand modules, or shown with all their names. Whoever imports the
    same from elsewhere, as a notebook, keeps their process.
    """
    usual = signal.getsignal(signal.SIGINT)
    if program and usual is signal.default_int_handler:  # and not ignored, as in the background
        signal.signal(signal.SIGINT, lambda *_: os._exit(130))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, usual)


class _Pipe(io.FileIO):
    """An output that whoever reads it may leave."""

    def write(self, content: bytes) -> int:
        try:
            return super().write(content)
        except BrokenPipeError:
            return len(content)
