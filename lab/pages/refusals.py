"""What no page may hold: whatever a browser would have to fetch, whatever would run in it, and what has no words."""

import re

from bs4 import BeautifulSoup

# what a browser follows
LOADING = {"src", "srcset", "poster", "background", "data", "href", "xlink:href", "action", "formaction"}
# never part of a result
FOREIGN = "script, iframe, frame, frameset, object, embed, applet, base, meta, form, link, plaintext"
SAFE_LINK = re.compile(r"(https?:|mailto:|#|[^:]*$|[^:/?#]*[/?#])", re.IGNORECASE)  # or relative
CSS_ADDRESS = re.compile(r"(?:url\(|@import)[\s'\"]*([^\s'\")]*)")
IMPORTED = re.compile(r"(?:\bfrom|\bimport)\s*+(?:\(\s*+)?['\"]([^'\"]+)")  # in a script


class ReportError(RuntimeError):
    """A notebook that cannot be executed or shown; the text is one sentence for its author."""


def refuse(soup: BeautifulSoup) -> None:
    """Raise ReportError for what no page may hold."""
    for address in _fetched(soup):
        if not address.startswith(("data:", "#")):
            raise ReportError(f"{address} would have to be fetched: attach it to the cell, so that the page holds it")
    for tag in soup.select(FOREIGN):
        raise ReportError(f"a page holds no <{tag.name}> of a notebook's: it runs its own scripts alone")
    for tag in soup.find_all(True):
        if running := [name for name in tag.attrs if name.lower().startswith("on")]:
            raise ReportError(f"a page runs its own scripts alone: {running[0]} of <{tag.name}> is one of a notebook's")
    for link in soup.select("a"):
        for address in {"href", "xlink:href"} & link.attrs.keys():
            if not SAFE_LINK.match(link[address].strip()):
                raise ReportError(f"a link leads to an address of the web or to another page, not to {link[address]}")
    if any("<" in sheet.get_text() for sheet in soup.select("style")):
        raise ReportError("a style sheet holds no <: within a drawing, a browser would take it for markup")
    if any(not image.get("alt") for image in soup.select("img")):
        raise ReportError("an image has no alt text: write ![what it shows](...)")


def _fetched(soup: BeautifulSoup) -> list[str]:
    sheets = [sheet.get_text() for sheet in soup.select("style")] + [tag["style"] for tag in soup.select("[style]")]
    scripts = [script.get_text() for script in soup.select("script")]
    fetched = [tag[key] for tag in soup.find_all(True) if tag.name != "a" for key in LOADING & tag.attrs.keys()]
    return fetched + CSS_ADDRESS.findall(" ".join(sheets)) + IMPORTED.findall(" ".join(scripts))
