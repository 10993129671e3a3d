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
