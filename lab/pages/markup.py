"""HTML fit for a page: tables that can be read and scrolled, links that lead to pages, and nothing that is refused."""

import html
import re

from bs4 import BeautifulSoup, Tag
from bs4.element import PreformattedString
from markupsafe import Markup

from lab.pages import pictures
from lab.pages.refusals import refuse
from lab.pages.typography import typeset_all

NUMBER = re.compile(r"[-+−]?\d[\d,]*(\.\d+)?(e[-+−]?\d+)?( ?%)?|nan|")  # or nothing, where one is missing

DENSE = {"many": 8, "most": 11}  # columns, of which more are set smaller, so that none of them is cut


def parsed(markup: str) -> BeautifulSoup:
    """The elements of HTML. After the last > no tag ends, so a < there is text: from each the parser would look on."""
    closed, end, rest = markup.rpartition(">")
    return BeautifulSoup(closed + end + rest.replace("<", "&lt;"), "html.parser")


def tidy(markup: str) -> Markup:
    """The same HTML, with tables in boxes that scroll; raises ReportError for what no page may hold."""
    soup = parsed(markup)
    for node in soup.find_all(string=lambda text: isinstance(text, PreformattedString)):
        node.extract()  # comments and the like, which end elsewhere for a browser: what is in them would be markup
    for style in soup.select("style[scoped]"):  # pandas' own look for tables
        style.decompose()
    refuse(soup)
    for image in soup.select("img"):
        pictures.check(image.get("src", ""))
    for table in soup.select("table"):
        _tidy_table(soup, table)
    for link in soup.select("a[href]"):
        link["href"] = re.sub(r"^((?:\.\./)?\d\d_\w+)\.ipynb", r"\1.html", link["href"])
    for code in soup.select(":not(pre) > code"):
        _let_break(code)
    typeset_all(soup)
    return Markup(soup)


def _tidy_table(soup: BeautifulSoup, table: Tag) -> None:
    table.attrs.pop("border", None)
    table.wrap(soup.new_tag("div", attrs={"class": "scroll"}))
    _one_header(table)
    _mark_numbers(table)
    columns = max((len(row.find_all(["th", "td"])) for row in table.select("tr")), default=0)
    table["class"] = [*table.get("class", []), *(name for name, most in DENSE.items() if columns > most)]
    for header in table.select("th"):
        header["scope"] = ("colgroup" if header.get("colspan") else "col") if header.find_parent("thead") else "row"
        if not header.get_text(strip=True):
            header.name, header.attrs = "td", {}  # the corner of a table heads nothing
    for cell in table.select("th, td"):
        _let_break(cell)


def _let_break(tag: Tag) -> None:
    """A long name may break after each of its words."""
    for text in tag.find_all(string=re.compile(r"\w_\w")):
        text.replace_with(*BeautifulSoup(html.escape(text).replace("_", "_<wbr/>"), "html.parser").contents)


def _one_header(table: Tag) -> None:
    """Where pandas gives the names of the index a row of their own, put them beside the names of the columns."""
    rows = [row.find_all(["th", "td"]) for row in table.select("thead tr")][-2:]
    if len(rows) != 2 or len(rows[0]) != len(rows[1]):
        return
    pairs = [(above, below) for above, below in zip(*rows, strict=True) if below.get_text(strip=True)]
    if not any(above.get_text(strip=True) for above, _ in pairs):
        for above, below in pairs:
            above.replace_with(below)
        table.select("thead tr")[-1].decompose()


def _mark_numbers(table: Tag) -> None:
    """Mark the columns that hold nothing but numbers, to be set flush right."""
    head, rows = ([row.find_all(["th", "td"]) for row in table.select(f"{part} tr")] for part in ("thead", "tbody"))
    if not rows or table.select("tbody [colspan], thead tr:last-child [colspan]"):
        return
    for k in range(1, min(map(len, [*head[-1:], *rows])) + 1):  # from the right, where no cell spans several rows
        column = [cells[-k] for cells in rows]
        if all(cell.name == "td" and NUMBER.fullmatch(cell.get_text(strip=True)) for cell in column):
            for cell in column + [cells[-k] for cells in head[-1:]]:
                cell["class"] = [*cell.get("class", []), "number"]
