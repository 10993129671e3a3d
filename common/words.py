"""How durations and errors are said in a line, and nothing that is secret with them."""

import json
import os
import re

SECRET = re.compile(r"key|token|secret|passw|credential|auth(?!or(?!i[sz]))", re.IGNORECASE)  # in a variable's name
# Possessive and atomic where they can be, so that a text of any length takes no longer than it takes to read.
USER = re.compile(r"((?<!\S)(?>\S*?://))\S*@")  # in an address, with what proves that it is they
PASSWORD = re.compile(r"://[^\s/:@]*+:(?:(\S+)@|\S*+)")  # without one, the rest of the word, which has none either
NAMED = r"""(?<!\w)(?=\w*?(?:key|token|secret|passw(?:or)?d)(?:s|[\d_]\w*+)?(?!\w))\w++["']?\s*[=:]\s*"""
END = r"""(?=["']?[.:]?(?:[\s&;,)\]}]|$))"""  # of a value, before a quotation mark that is none of its own
ASSIGNED = re.compile(rf"""({NAMED})(?:(["']).{{,999}}?\2{END}|[^\s&;,)]+?{END})""", re.IGNORECASE)
LONGEST = 80  # characters that a sentence repeats of what it was given
LONGEST_SENTENCE = 480
LONGEST_QUOTE = 240  # of what others say, within a sentence
SHORTEST = 6  # characters of what is taken for a secret: a shorter one would be found in words


def duration(seconds: float) -> str:
    """Seconds as people say them: `8.3 s`, `95 s`, `4 min 10 s`, `2 h 5 min`."""
    if round(seconds, 1) < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 100:
        return f"{whole} s"
    if whole < 3600:
        return "{} min {} s".format(*divmod(whole, 60))
    return "{} h {} min".format(*divmod(round(whole / 60), 60))


def shown(value: object, longest: int = LONGEST) -> str:
    """A value as a sentence names it, cut where it is long."""
    try:
        text = repr(value)
    except ValueError:  # more digits than Python writes
        return f"a number of {value.bit_length()} bits" if isinstance(value, int) else f"a {type(value).__name__}"
    return text if len(text) <= longest else f"{text[: longest - 4]} ..."


def brief(sentence: str, longest: int = LONGEST_SENTENCE) -> str:
    """A sentence on one line, without what steers a terminal, its middle left out where it is long."""
    words = "".join(filter(str.isprintable, " ".join(sentence.split())))
    return words if len(words) <= longest else f"{words[: longest - 100]} ... {words[-90:]}"


def first_line(error: BaseException) -> str:
    """What an error says first."""
    return str(error).partition("\n")[0] or type(error).__name__


def masked(text: str) -> str:
    """A text in which *** stands for what proves who somebody is.

    That is what an address has before its @, what is assigned to a password, key or token, and what the environment has
    under such names.
    """
    return ASSIGNED.sub(r"\1\2***\2", USER.sub(r"\1***@", without_secrets(text)))


def without_secrets(text: str) -> str:
    """A text, or that of a JSON file, in which *** stands for what the environment holds under names of secrets, and
    for the passwords of its addresses."""
    for value in sorted({value for _, value in secrets()}, key=len, reverse=True):
        text = text.replace(value, "***").replace(json.dumps(value)[1:-1], "***")
    return text


def secrets() -> list[tuple[str, str]]:
    """What the environment holds that is secret, each after the name of its variable."""
    held = [(name, text) for name, text in os.environ.items() if SECRET.search(name)]
    held += [(name, password) for name, text in os.environ.items() for password in passwords(text)]
    return [(name, secret) for name, secret in held if len(secret) >= SHORTEST]


def passwords(text: str) -> list[str]:
    """The passwords of the addresses in a text."""
    return list(filter(None, PASSWORD.findall(text)))


def root_cause(error: BaseException) -> str:
    """The text of the exception that began it: requests and urllib3 wrap it in up to four others."""
    while cause := error.__cause__ or (not error.__suppress_context__ and error.__context__):
        error = cause
    return text_of(error)


def text_of(error: BaseException) -> str:
    """What an exception says, in one line and without the path that an OSError repeats."""
    return getattr(error, "strerror", None) or " ".join(str(error).split()) or type(error).__name__
