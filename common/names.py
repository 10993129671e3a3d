"""Names that somebody typed: what they might have meant, and what they are called on disk."""

import difflib
import hashlib
import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from common.words import shown

ALIKE = 0.75  # share of letters that two names have in common, in order; a hint that is wrong is worse than none
OTHERS = """
    adamax radam adamp adan adamod qhadam nadamw nadamax sparseadam asgd sgdp sgdw sgdr rprop rmsproptf prelu rrelu
    crelu relu6 relu2 selu celu glu swiglu geglu reglu hardsigmoid logsigmoid atan bentidentity binarycrossentropy
    squaredlogerror
"""  # what other libraries have, and is another thing than what has the most similar name here

LONGEST_FILE = 200  # bytes of a file's name: systems allow 255, and some is left for endings
PLAIN_FILE = re.compile(r"\w([\w %+,=()\[\]{}.-]*[\w%+,=()\[\]{}-])?")
DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # which Windows takes for no files


def nearest(name: object, known: Iterable[str]) -> str | None:
    """The known name that is most like `name`; None if none is much like it, or it is that of another thing."""
    if re.sub(r"[\W_]", "", str(name)).casefold() in OTHERS.split():
        return None
    return next(iter(difflib.get_close_matches(str(name), list(known), 1, ALIKE)), None)


def hint(name: object, known: Iterable[str]) -> str:
    """`; did you mean 'adam'?`, to end a clause with; empty if no known name is much like it."""
    close = nearest(name, known)
    return f"; did you mean {close!r}?" if close else ""


def choose(key: str, name: Any, table: Mapping[str, Any]) -> Any:
    """What the table has under a name, whatever its case. Raises ValueError, in a sentence, if it has nothing."""
    folded = {k.casefold(): v for k, v in table.items()}
    try:
        return folded[name.casefold()]
    except (KeyError, AttributeError):
        close = hint(str(name).casefold(), folded)
        raise ValueError(f"{key}={shown(name)}: no such {key}{close or '.'} Choose from {', '.join(table)}.") from None


def first_unknown(names: Iterable[object], known: Collection[str], what: str, *, hinted: bool = True) -> str | None:
    """One sentence on the first of `names` that is not `known`, which are all there is of `what`; None without one."""
    for name in names:
        if name not in list(known):  # which a name that is no text, but a list, can be looked for in
            near = nearest(name, known) if hinted else None
            hint = f"the nearest is {near!r}" if near else f"choose from {', '.join(known)}"
            return f"{shown(name)} is not {what}: {hint}"
    return None


def file_name(name: str) -> str:
    """The name of the file or folder that stands for `name`: itself where every system takes it, else a safe form of
    it and, after a ~, a digest, so that no two names share one."""
    plain = PLAIN_FILE.fullmatch(name) and unicodedata.is_normalized("NFC", name)
    if plain and not DEVICES.fullmatch(name) and len(name.encode()) <= LONGEST_FILE:
        return name
    digest = hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()[:12]
    return f"{re.sub(r'[^A-Za-z0-9]+', '-', name[: LONGEST_FILE // 2]).strip('-')}~{digest}"
