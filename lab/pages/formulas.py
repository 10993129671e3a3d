"""LaTeX to MathML, which every browser draws without a script.

nbconvert leaves formulas to MathJax, which is fetched from elsewhere. latex2mathml translates them instead; around it
stands what it gets wrong, and a refusal where it would show something else than was written.
"""

import html
import re
from itertools import pairwise
from xml.etree import ElementTree

from latex2mathml.converter import convert_to_element

from lab.pages.refusals import ReportError


def mathml(latex: str, display: str) -> str:
    """MathML of a formula, "inline" or "block"; raises ReportError for what latex2mathml does not know."""
    known = re.sub(r"(\\(?:begin|end))\{(?:align|gather|split)(?:ed)?\*?\}", r"\1{align*}", latex)
    try:
        math = convert_to_element(known.strip(), display=display)
    except Exception as error:  # its errors have no common base
        raise ReportError(f"the formula {latex.strip()} is no LaTeX ({type(error).__name__})") from error
    for node in math.iter():
        node.text = html.unescape(node.text or "")
        if re.match(r"\\\w|&$", node.text) or (node.tag == "mo" and not node.text and not node.attrib):
            raise ReportError(f"latex2mathml does not know {node.text or 'a command'} in the formula {latex.strip()}")
        _correct(node)
    for node in math.iter():
        _correct_children(node)
    return ElementTree.tostring(math, encoding="unicode")


def _correct(node: ElementTree.Element) -> None:
    if node.text in ("|", "‖", "^"):
        node.attrib.setdefault("stretchy", "false")  # only \left and \right make them grow
    elif node.tag == "mi" and re.fullmatch("[a-z]{2,}", node.text):
        node.tag = "mo"  # a function keeps its distance: log x, not logx
    if node.tag == "mo" and node.text.isalpha():
        node.attrib.update(lspace="0.167em", rspace="0.167em")


def _correct_children(node: ElementTree.Element) -> None:
    """A minus after a sign is one number's, not between two; a prime stands as high as its font draws it."""
    for before, child in pairwise(node):
        if child.tag == before.tag == "mo" and child.text in ("−", "-") and before.text not in (*")]}!|‖′",):
            child.set("form", "prefix")
    for child in list(node):
        if child.tag == "msup" and len(child) == 2 and child[1].tag in ("mi", "mo") and child[1].text == "′":
            child.tag = "mrow"
            child[1].tag, child[1].attrib = "mo", {"lspace": "0", "rspace": "0"}
