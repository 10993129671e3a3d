"""Names that somebody typed: what they might have meant."""

import difflib
from collections.abc import Collection, Iterable

ALIKE = 0.75  # share of letters that two names have in common, in order; a hint that is wrong is worse than none


def nearest(name: object, known: Iterable[str]) -> str | None:
    """The known name that is most like `name`; None if none is much like it."""
    return next(iter(difflib.get_close_matches(str(name), list(known), 1, ALIKE)), None)


def first_unknown(names: Iterable[object], known: Collection[str], what: str) -> str | None:
    """One sentence on the first of `names` that is not `known`, which are all there is of `what`; None without one."""
    for name in names:
        if name not in known:
            near = nearest(name, known)
            hint = f"the nearest is {near!r}" if near else f"choose from {', '.join(known)}"
            return f"{name!r} is not {what}: {hint}"
    return None
