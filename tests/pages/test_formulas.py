"""Formulas: MathML with the spaces of mathematics, in a font that the page holds and that has every sign of them."""

import re
from io import BytesIO
from xml.etree import ElementTree

import nbformat
import pytest
from bs4 import BeautifulSoup
from fontTools.ttLib import TTFont

from lab.pages import site
from lab.pages.exporter import TEMPLATES
from lab.pages.formulas import mathml
from lab.pages.markdown import render
from lab.pages.markup import tidy
from page_kit import write
from tree import notebooks

FONT = TEMPLATES / "fonts" / "formulas.woff"
FORMULA = re.compile(r"\$\$(.+?)\$\$|\$(.+?)\$", re.DOTALL)


def signs(formula: str) -> list[ElementTree.Element]:
    return [node for node in ElementTree.fromstring(mathml(formula, "inline")).iter() if node.tag.endswith("}mo")]


@pytest.mark.parametrize(
    ("formula", "forms"),
    [
        ("x = -y", [None, "prefix"]),
        ("(-y)", [None, "prefix", None]),
        ("x - y", [None]),
        ("|x| - y", [None, None, None]),
        ("f(x) - y", [None, None, None]),
    ],
)
def test_a_minus_is_a_sign_or_between_two(formula, forms):
    assert [sign.get("form") for sign in signs(formula)] == forms


@pytest.mark.parametrize("formula", ["g'(a)", r"g^\prime(a)"])
def test_a_prime_is_no_exponent(formula):
    math = ElementTree.fromstring(mathml(formula, "inline"))
    assert not [node for node in math.iter() if node.tag.endswith("}msup")]
    assert "".join(math.itertext()) == "g′(a)"


def test_the_font_has_every_sign_of_every_formula():
    font = TTFont(BytesIO(FONT.read_bytes()))
    italic = {chr(code) for code in font.getBestCmap()}
    cells = [cell for path in notebooks() for cell in nbformat.read(path, 4).cells if cell.cell_type == "markdown"]
    texts = [re.sub(r"```.*?```|`[^`]*`", "", cell.source, flags=re.DOTALL) for cell in cells]
    formulas = [a or b for text in texts for a, b in FORMULA.findall(text)]
    assert len(formulas) > 50
    shown = set("".join("".join(ElementTree.fromstring(mathml(f, "inline")).itertext()) for f in formulas))
    assert {sign for sign in shown - italic if not sign.isspace()} == set()


def test_a_page_with_formulas_holds_their_font_and_one_without_does_not(tmp_path):
    executed = tmp_path / "runs" / "notebooks"
    executed.mkdir(parents=True)
    write(executed / "01_with.ipynb", "# With\n\n**Goal.** See $x$.")
    write(executed / "02_without.ipynb", "# Without\n\n**Goal.** See.")
    reports = site.build(executed, executed, tmp_path / "reports").parent
    held = {path.stem: "data:font/woff;base64," in path.read_text("utf-8") for path in reports.glob("*.html")}
    assert held == {"01_with": True, "02_without": False, "index": True}
    page = BeautifulSoup((reports / "01_with.html").read_text("utf-8"), "html.parser")
    assert '"Formulas"' in re.search(r"math \{ font-family: ([^,]+)", str(page.find_all("style")))[1]


def test_the_font_has_its_licence_beside_it():
    assert "GUST Font License" in (FONT.parent / "GUST-FONT-LICENSE.txt").read_text("utf-8")
    assert FONT.stat().st_size < 40_000


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("by $p$, and so on", ["p,"]),
        ("so uneven ($p$, say) or ($q$).", ["(p,", "(q)."]),
        ("a $p$ alone, and $q$ *then*", []),
    ],
)
def test_a_formula_and_the_marks_that_touch_it_stay_in_one_line(text, kept):
    shown = BeautifulSoup(tidy(render(text, [])), "html.parser")
    assert [box.get_text() for box in shown.select(".pair")] == kept
    assert shown.get_text().strip() == re.sub("[$*]", "", text)


def test_formulas_beside_each_other_may_stand_below_each_other():
    shown = BeautifulSoup(tidy(render(r"$$a = b, \qquad c = d$$", [])), "html.parser")
    assert [math.get_text() for math in shown.select(".formula > math")] == ["a=b,", "c=d"]
