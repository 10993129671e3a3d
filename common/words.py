"""How durations and errors are said in a line."""


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


def first_line(error: BaseException) -> str:
    """What an error says first."""
    return str(error).partition("\n")[0] or type(error).__name__


def root_cause(error: BaseException) -> str:
    """The text of the exception that began it: requests and urllib3 wrap it in up to four others."""
    while cause := error.__cause__ or (not error.__suppress_context__ and error.__context__):
        error = cause
    return text_of(error)


def text_of(error: BaseException) -> str:
    """What an exception says, in one line and without the path that an OSError repeats."""
    return getattr(error, "strerror", None) or " ".join(str(error).split()) or type(error).__name__
