"""Reports: notebooks made here, with outputs given, are rendered and the pages are parsed; few start a kernel."""

import errno
import os
import re
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote

import nbformat
import pandas as pd
import pytest
from bs4 import BeautifulSoup
from nbformat.v4 import new_markdown_cell, new_output
from PIL import Image

from common.files import write_whole
from lab import tracking
from lab.pages import command, pictures, results, running, site
from lab.pages.exporter import TEMPLATES
from page_kit import PROVENANCE, code, figure, png, shown, stream, two_forms, write


@pytest.fixture
def root(tmp_path, monkeypatch):
    """An empty project, as report.py sees it."""
    monkeypatch.setattr(command, "ROOT", tmp_path)
    monkeypatch.setenv("FASHION_RUNS", str(tmp_path / "runs"))
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "runs" / "notebooks").mkdir(parents=True)
    return tmp_path


@pytest.fixture
def executed(root):
    """Adds an executed notebook to the project; strings become Markdown cells."""

    def add(*cells, name="01_data", provenance=PROVENANCE):
        for folder in ("notebooks", "runs/notebooks"):
            write(root / folder / f"{name}.ipynb", *cells, provenance=provenance)

    return add


def build(root, name="01_data") -> BeautifulSoup:
    assert command.main(["build"]) == 0
    return BeautifulSoup((root / "reports" / f"{name}.html").read_text("utf-8"), "html.parser")


def refusal(capsys, *arguments) -> str:
    """The one line that a refused command prints."""
    assert command.main(list(arguments)) == 1
    message = capsys.readouterr().err.strip()
    assert len(message.splitlines()) == 1, message
    return message


# --- What a page shows ---


def test_one_file_without_outside_addresses(root, executed):
    executed("# One\n\nText with a [link](https://example.org).", code("plot()", figure(**{"image/png": {"alt": "A"}})))
    executed("# Two", name="02_model")
    for name in ("01_data", "02_model", "index"):
        page = build(root, name)
        for tag in page.find_all(["script", "img", "iframe", "source", "object", "embed", "video", "audio"]):
            assert tag.get("src", "data:").startswith("data:")
        assert all(tag["href"].startswith("data:") for tag in page.find_all("link"))
        css = "\n".join(style.get_text() for style in page.find_all("style"))
        assert "@import" not in css
        assert "url(" not in css
        assert page.html["lang"] == "en"
        assert page.title.get_text()
        assert "width=device-width" in page.find("meta", attrs={"name": "viewport"})["content"]


def test_formulas_are_mathml_and_code_is_left_alone(root, executed):
    executed(
        "# The model $L$\n\nWith $a_k$ and `$x$` and `$$y$$`:\n\n$$\\frac{a}{b} < \\log p$$\n\n"
        "\\begin{align}\nu &= v \\\\\nw &= z\n\\end{align}\n\n```python\nprice = '$5 and $6'\n```"
    )
    page = build(root)
    main = page.find("main")
    formulas = main.find_all("math")
    assert [math["display"] for math in formulas] == ["inline", "inline", "block", "block"]
    assert [child.get_text() for child in formulas[1].find("msub").children] == ["a", "k"]
    assert [child.get_text() for child in formulas[2].find("mfrac").children] == ["a", "b"]
    assert [[cell.get_text() for cell in row.find_all("mtd")] for row in formulas[3].find_all("mtr")] == [
        ["u", "=v"],
        ["w", "=z"],
    ]
    assert [tag.get_text() for tag in main.select("p code")] == ["$x$", "$$y$$"]
    assert "price = '$5 and $6'" in main.find("pre").get_text()
    for tag in main.find_all(["code", "pre"]):
        tag.decompose()
    assert "$" not in main.get_text()
    assert "\\" not in main.get_text()


def test_images_keep_their_alt_text_and_size(root, executed):
    alt = 'Two lines, "training" & <validation>'
    executed("# One", code("plot()", figure(**{"image/png": {"alt": alt, "width": 600}})))
    image = build(root).select_one("figure img")
    assert image["alt"] == alt
    assert image["width"] == "600"
    shown, given = pictures.picture(image["src"]), pictures.picture(f"data:image/png;base64,{png()}")
    assert shown.convert("RGB").tobytes() == given.tobytes()


def test_a_figure_laid_out_for_telephones_is_shown_there_alone(root, executed):
    executed("# One", code("plot()", two_forms(**{"image/png": {"alt": "A box", "width": 600}})))
    picture = build(root).select_one("figure picture")
    assert pictures.picture(picture.source["srcset"]).width == 561
    assert picture.source["media"] == "screen and (max-width: 40rem)"
    assert pictures.picture(picture.img["src"]).width == 1200


def test_headings_and_contents(root, executed):
    executed("# Title", "## Why *this*?", "### Ünder", "## Why *this*?", "text\n\n### More\n\n#### Deep")
    executed("# Other", name="02_model")
    page = build(root)
    levels = [int(tag.name[1]) for tag in page.find_all(re.compile("^h[1-6]$"))]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    links = page.select(".contents a")
    assert [link.get_text() for link in links] == ["Why this?", "Ünder", "Why this?", "More"]
    ids = [tag["id"] for tag in page.select("[id]")]
    assert len(ids) == len(set(ids))
    assert {unquote(link["href"]) for link in page.select("a[href^='#']")} <= {f"#{anchor}" for anchor in ids}
    assert page.select_one("body > a")["href"] == "#content"
    assert page.select_one("main#content")
    assert page.select_one("a[rel=next]")["href"] == "02_model.html"
    assert not page.select("a[rel=prev]")
    assert build(root, "02_model").select_one("a[rel=prev]")["href"] == "01_data.html"


def test_foot_states_the_provenance(root, executed):
    executed("# One")
    foot = build(root).select_one(".provenance").get_text(" ")
    for fact in ("0123456789ab+", "01 March 2026, 12:34 UTC", "7.5 s", "seed = 42", "learning_rate = 0.0001"):
        assert fact in foot
    for fact in ("numpy 2.4.6", "python 3.11.7", "Linux, 2 CPUs", PROVENANCE["command"]):
        assert fact in foot


def test_stdout_is_shown_stderr_and_bars_are_not(root, executed):
    bar = {"application/vnd.jupyter.widget-view+json": {"model_id": "1"}, "text/plain": "0% of a bar"}
    executed(
        "# One",
        code("a()", stream("stdout", "\x1b[31mloss\x1b[0m < 1\n"), stream("stderr", "a warning")),
        code("b()", new_output("display_data", data=bar)),
    )
    page = build(root)
    assert [tag.get_text() for tag in page.select("pre.output")] == ["loss < 1\n"]
    assert "a warning" not in str(page)
    assert "0% of a bar" not in str(page)


def test_code_is_folded_and_hide_input_removes_it(root, executed):
    executed(
        "# One", code("shown = 1", tags=["parameters"]), code("hidden = 2", stream("stdout", "2"), tags=["hide-input"])
    )
    page = build(root)
    folds = page.select("main details")
    assert [fold.find("pre").get_text().strip() for fold in folds] == ["shown = 1"]
    assert not folds[0].has_attr("open")
    assert "hidden = 2" not in str(page)
    assert page.select_one("pre.output").get_text() == "2"


def test_show_code_keeps_it_open(root, executed):
    executed("# One", code("folded = 1"), code("open = 2", tags=["show-code"]))
    assert [fold.has_attr("open") for fold in build(root).select("main details")] == [False, True]


def test_what_was_found_opens_the_page_and_the_index_and_stands_in_its_place(root, executed):
    sentence = new_output("display_data", data={"text/markdown": "**Found.** $x$ is [high](02_model.ipynb):"})
    later = figure(**{"image/png": {"alt": "The result"}})
    executed(
        "# One $y$\n\n**Goal.** Look.",
        code("early()", figure(**{"image/png": {"alt": "Something"}})),
        "## The end",
        code("say()", sentence, later, tags=["found"]),
    )
    executed("# Two", name="02_model")
    page = build(root)
    main = page.find("main")
    assert [tag.name for tag in main.find_all(recursive=False)][:4] == ["p", "h1", "section", "p"]
    assert main.h1.find("math").get_text() == "y"
    opening = main.select_one(".found")
    assert opening.h2.get_text() == "What was found"
    assert opening.select_one(".output").get_text().strip() == "Found. x is high:"
    assert opening.select_one(".output a")["href"] == "02_model.html"
    assert [image["alt"] for image in opening.select("img")] == ["The result"]
    assert [image["alt"] for image in main.select("img")] == ["The result", "Something", "The result"]
    assert "say()" not in opening.get_text()
    assert not build(root, "02_model").select(".found")
    assert build(root, "index").select_one(".pages p:not(.chapter)").get_text() == "Found. x is high."


def test_tables_have_headers_with_scope_and_links_lead_to_pages(root, executed):
    table = (
        "<style scoped>td {color: red}</style><table border='1' class='dataframe'><thead><tr><th></th><th>T-shirt</th>"
        "</tr></thead><tbody><tr><th>0</th><td>1.5</td></tr></tbody></table>"
    )
    executed("# One\n\n[next](02_model.ipynb#Why)", code("t", new_output("execute_result", data={"text/html": table})))
    main = build(root).find("main")
    assert [(tag.get_text(), tag["scope"]) for tag in main.find_all("th")] == [("T-shirt", "col"), ("0", "row")]
    assert "scroll" in main.find("table").parent["class"]
    assert main.select_one("p a")["href"] == "02_model.html#Why"


def test_tables_set_numbers_flush_right_and_name_their_index_beside_the_columns(root, executed):
    frame = pd.DataFrame({"F1": ["68.1%", "97.5%"], "taken for": ["Coat", "Dress"], "runs": [-3, 1e-4]})
    frame.index = pd.Index(["Shirt", "Trouser"], name="class")
    executed(
        "# One",
        code("t", new_output("execute_result", data={"text/html": frame.style.to_html()})),
        code("t", new_output("execute_result", data={"text/html": frame.T.to_html()})),
    )
    styled, plain = build(root).select("table")
    rows = [[cell.get_text(strip=True) for cell in row.find_all(["th", "td"])] for row in styled.select("tr")]
    assert rows[:2] == [["class", "F1", "taken for", "runs"], ["Shirt", "68.1\u202f%", "Coat", "\u22123.000000"]]
    assert [cell.get_text() for cell in styled.select("th.number")] == ["F1", "runs"]
    assert len(styled.select("td.number")) == 4
    assert not plain.select(".number")


def test_code_that_shows_nothing_shares_the_fold_of_what_follows(root, executed):
    executed(
        "# One",
        code("a = 1"),
        code("b = 2"),
        code("print(a)", stream("stdout", "1")),
        code("c = 3"),
        code("d = 4", tags=["show-code"]),
        "Text",
        code("e = 5"),
    )
    folds = [[pre.get_text().strip() for pre in fold.select("pre")] for fold in build(root).select("main details")]
    assert folds == [["a = 1", "b = 2", "print(a)"], ["c = 3"], ["d = 4"], ["e = 5"]]


def test_index_shows_the_results_and_every_page(root, executed):
    executed(
        "# Data & co\n\n**Goal.** The *first* paragraph, [linked](02_model.ipynb).\n\nThe second.",
        code("plot()", figure(**{"image/png": {"alt": "A"}})),
    )
    executed("# Model", name="02_model")
    (root / "runs" / "results.json").write_text('{"Test accuracy": {"value": "88.9 %", "note": "five seeds ±0.2"}}')
    index = build(root, "index")
    assert "88.9\u202f%" in index.select_one(".cards").get_text()
    assert "five seeds ±0.2" in index.select_one(".cards").get_text()
    assert [(a.get_text(), a["href"]) for a in index.select("h3 a")] == [
        ("Data & co", "01_data.html"),
        ("Model", "02_model.html"),
    ]
    assert index.select_one(".pages p:not(.chapter)").get_text() == "The first paragraph, linked."
    assert pictures.picture(index.select_one(".pages img")["src"]).size == (480, 240)
    assert "0123456789ab+" in index.find("footer").get_text()


def test_a_figure_with_photographs_is_not_turned_in_the_dark_on_page_and_index(root, executed):
    executed("# One", code("plot()", figure(**{"image/png": {"alt": "A", "photographs": True}})))
    executed("# Two", code("plot()", figure(**{"image/png": {"alt": "A", "photographs": "x"}})), name="02_model")
    assert [img.get("class") for img in build(root).select("figure img")] == [["photographs"]]
    assert [img.get("class") for img in build(root, "index").select(".pages img")] == [["photographs"], None]


def test_summary_prints_the_results_and_the_place(root, executed, capsys):
    assert "make builds it" in refusal(capsys, "summary")
    executed("# One")
    build(root)
    (root / "runs" / "results.json").write_text('{"Test accuracy": {"value": "88.9 %"}}')
    capsys.readouterr()
    assert command.main(["summary"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].strip() == "Test accuracy: 88.9 %"
    assert lines[-1] == f"Reports: {root / 'reports' / 'index.html'}"


def test_colours_have_the_contrast_of_wcag_aa():
    css = (TEMPLATES / "report.css").read_text("utf-8")
    light, dark = (
        dict(re.findall(r"--(\w+): (#\w+)", rule)) for rule in re.findall(r":root \{(.*?)\}", css, re.DOTALL)
    )

    def luminance(colour):
        digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
        channels = [int(digits[k : k + 2], 16) / 255 for k in (0, 2, 4)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    assert len(light) == len(dark)
    for theme in (light, dark):
        for name in ("ink", "quiet", "link", "keyword", "string", "comment", "number", "name"):
            for ground in ("paper", "panel"):
                low, high = sorted([luminance(theme[name]), luminance(theme[ground])])
                assert (high + 0.05) / (low + 0.05) >= 4.5, (name, ground)


def test_the_same_notebooks_give_the_same_bytes_and_stale_pages_go(root, executed):
    executed("# One\n\n$a_k$", code("plot()", figure(**{"image/png": {"alt": "A"}})))
    build(root)
    first = {path.name: path.read_bytes() for path in (root / "reports").iterdir()}
    (root / "reports" / "07_old.html").touch()
    build(root)
    assert {path.name: path.read_bytes() for path in (root / "reports").iterdir()} == first


def test_a_page_that_shows_the_same_stays_and_make_sees_a_new_index(root, executed):
    """So what is executed again, with equal results, leaves a clean tree."""
    executed("# One")
    build(root)
    files = [root / "reports" / name for name in ("01_data.html", "index.html")]
    first = [path.read_bytes() for path in files]
    for path in files:
        os.utime(path, (1, 1))
    later = PROVENANCE | {"date": "2027-01-01T00:00:00+00:00", "commit": "ba9876543210", "seconds": 1.0}
    executed("# One", provenance=later)
    build(root)
    assert [path.read_bytes() for path in files] == first
    assert [path.stat().st_mtime == 1 for path in files] == [True, False]
    executed("# One", "More.", provenance=later)
    build(root)
    assert "01 January 2027" in files[0].read_text("utf-8")


def test_how_long_something_took_is_no_reason_for_another_page(root, executed):
    """It stays beside the date and machine at which it was measured; with other results, it is that of the new ones."""

    def made(seconds, found="88 %"):
        lines, sentence = stream("stdout", f"{seconds} s\n"), shown(markdown=f"Right for {found}, in {seconds} s.")
        took = code("train()", lines, sentence, tags=["timed"])
        executed("# One", took, code("say()", shown(markdown=f"**Right** for {found}.")))
        build(root)
        return (root / "reports" / "01_data.html").read_text("utf-8")

    first = made(1.5)
    assert "1.5 s" in first
    assert made(2.5) == first
    other = made(3.5, "89 %")
    assert "3.5 s" in other
    assert "1.5 s" not in other


@pytest.mark.parametrize("above", [(), ("hide-input",)])
def test_a_timed_cell_that_shows_nothing_this_time_is_no_reason_for_another_page(root, executed, above):
    def made(*outputs):
        executed("# One", code("train()", *outputs, tags=["timed", *above]), code("say()", shown(markdown="Right.")))
        build(root)
        return (root / "reports" / "01_data.html").read_text("utf-8")

    first = made(stream("stdout", "1.5 s\n"))
    assert made() == first
    assert made(stream("stderr", "a bar")) == first


def test_the_index_is_written_last(root, executed, monkeypatch):
    executed("# One", code("plot()", figure(**{"image/png": {"alt": "A"}})))
    executed("# Two", code("plot()", figure(**{"image/png": {"alt": "A"}})), name="02_model")
    (root / "README.md").write_text("<!-- results --><!-- /results -->")
    (root / "runs" / "results.json").write_text('{"Test accuracy": {"value": "88.9 %"}}')
    written = []
    monkeypatch.setattr(site, "SHOWN", ("02_model", "01_data"))
    for module in (site, results):
        monkeypatch.setattr(
            module, "write_whole", lambda path, text: [written.append(path.name), write_whole(path, text)]
        )
    build(root)
    assert written == [
        "01_data.html",
        "02_model.html",
        "02_model.png",
        "01_data.png",
        "README.md",
        "index.html",
    ]
    assert sorted(path.name for path in (root / "reports").iterdir()) == sorted({*written} - {"README.md"})


def test_the_picture_of_a_page_that_readme_shows_stands_beside_it_unless_it_is_an_svg(root, executed, monkeypatch):
    monkeypatch.setattr(site, "SHOWN", ("01_data",))
    picture = root / "reports" / "01_data.png"
    executed("# One", code("plot()", figure(**{"image/png": {"alt": "A"}})))
    build(root)
    with Image.open(picture) as shown:
        assert (shown.format, shown.size, shown.getpixel((0, 0))) == ("PNG", (1200, 600), (0, 128, 128))
    svg = new_output("display_data", data={"image/svg+xml": "<svg/>"}, metadata={"image/svg+xml": {"alt": "A"}})
    executed("# One", code("plot()", svg))
    build(root)
    assert not picture.exists()


def found_cell(said, alt):
    """What a page has found: a sentence and a figure."""
    sentence = new_output("display_data", data={"text/markdown": said})
    return code("say()", sentence, figure(**{"image/png": {"alt": alt}}), tags=["found"])


def test_readme_shows_the_results_between_its_markers(root, executed, monkeypatch):
    monkeypatch.setattr(site, "SHOWN", ("03_end", "01_data", "02_model"))
    executed("# One", found_cell("**Half * of it** is a|b.", "One"))
    executed("# Two", found_cell("Nothing bold_face.", "Two"), name="02_model")
    executed("# Three", found_cell("**By 1.2% better.** And so on.", "Seed by seed: [1,\n2]"), name="03_end")
    readme, headline = root / "README.md", root / "runs" / "results.json"
    empty = "# Title\n\n<!-- results -->\n<!-- /results -->\n\nThe rest, \\1 and all.\n"
    readme.write_text(empty, "utf-8")
    build(root)
    assert readme.read_text("utf-8") == empty  # no results yet
    headline.write_text('{"Test accuracy": {"value": "88.9 %", "note": "a | b \\\\1"}, "Hardest": {"value": "Shirt"}}')
    build(root)
    filled = readme.read_text("utf-8")
    assert filled == (
        "# Title\n\n<!-- results -->\n\n| Result | Value | Note |\n| --- | --- | --- |\n"
        "| Test accuracy | 88.9\u202f% | a &#124; b \\1 |\n| Hardest | Shirt |  |\n\n"
        "[![Seed by seed: \\[1, 2\\]](reports/03_end.png)](reports/03_end.html)\n\n"
        "| [![One](reports/01_data.png)](reports/01_data.html) "
        "| [![Two](reports/02_model.png)](reports/02_model.html) |\n"
        "| --- | --- |\n| Half \\* of it | Nothing bold\\_face. |\n\n<!-- /results -->\n\n"
        "The rest, \\1 and all.\n"
    )
    before = readme.stat().st_mtime_ns
    build(root)
    assert readme.stat().st_mtime_ns == before
    headline.write_text('{"Test accuracy": {"value": "90.0 %"}}')
    build(root)
    assert readme.read_text("utf-8") != filled
    readme.write_text("No markers\n", "utf-8")
    build(root)
    assert readme.read_text("utf-8") == "No markers\n"


def test_what_build_writes_does_not_mark_the_commit(root):
    if shutil.which("git") is None:
        pytest.skip("needs git")

    def git(*words):
        name = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
        subprocess.run(["git", *name, *words], cwd=root, check=True, capture_output=True)

    assert tracking.commit(root) is None
    files = [root / name for name in ("README.md", "reports/index.html", "tables/every.csv.xz", "core.py")]
    for file in files:
        file.parent.mkdir(exist_ok=True)
        file.write_text("old")
    git("init")
    git("add", ".")
    git("commit", "-m", "All")
    for file in files[:-1]:
        file.write_text("new")
    assert re.fullmatch("[0-9a-f]{12}", tracking.commit(root))
    files[-1].write_text("new")
    assert tracking.commit(root).endswith("+")


# --- What is refused ---


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        (code("plot()", figure()), "no alt text"),
        (code("f()", tags=["hide_input"]), "unknown tag hide_input"),
        (code("f()", new_output("error", ename="ValueError", evalue="x", traceback=[])), "ValueError"),
        (code("f()", new_output("display_data", data={"video/mp4": "x"})), "video/mp4"),
        (
            code("f()", new_output("display_data", data={"text/html": "<script src='https://x.org/a.js'>"})),
            "https://x.org/a.js",
        ),
        (code("f()", new_output("display_data", data={"text/html": "<style>@import 'a.css'</style>"})), "a.css"),
        ("![a cat](cat.png)", "cat.png"),
        ("![](data:image/png;base64,AAAA)", "no alt text"),
        ("A $\\foo x$", "\\foo"),
        ("A $\\frac{a}{$", "\\frac{a}{"),
        ("#### Too deep", "heading of level 4"),
        ("# A second title", "heading of level 1"),
        (code("x = 1", tags=["found"]), "cannot be empty"),
        (code("f()", new_output("display_data", data={"text/markdown": "## H"}), tags=["found"]), "or hold a heading"),
        (new_markdown_cell("We found", metadata={"tags": ["found"]}), "a tag of code cells"),
    ],
)
def test_what_no_page_may_hold_is_refused_by_cell_and_nothing_is_written(root, executed, capsys, cell, said):
    executed("# One", cell)
    message = refusal(capsys, "build")
    assert said in message
    assert f"{Path('runs/notebooks/01_data.ipynb')}, cell 2" in message
    assert not (root / "reports").exists()


def test_missing_damaged_and_foreign_notebooks_are_refused(root, executed, capsys):
    assert "not executed yet" in refusal(capsys, "build")
    executed("# One")
    executed("# Two", name="02_model")
    kept = root / "runs" / "notebooks" / "02_model.ipynb"
    kept.write_text(kept.read_text()[:99])
    assert "02_model.ipynb is not a readable notebook" in refusal(capsys, "build")
    kept.unlink()
    assert "not executed yet: 02_model" in refusal(capsys, "build")
    executed("# Two", name="02_model", provenance=None)
    assert "no provenance" in refusal(capsys, "build")
    executed("No title", name="02_model")
    assert "no heading" in refusal(capsys, "build")
    executed("# Two", name="02_model")
    (root / "runs" / "results.json").write_text('{"accuracy": 0.889}')
    assert "results.json is no list of results (accuracy: must be" in refusal(capsys, "build")


def test_unknown_parameters_are_refused_with_the_nearest_name(root, executed, capsys):
    executed("# One", code("seed: int = 0  # seed\nlearning_rate: float = 1e-3", tags=["parameters"]))
    path = str(root / "notebooks" / "01_data.ipynb")
    assert "did you mean learning_rate?" in refusal(capsys, "run", path, "-p", "learningrate", "1")
    assert "it has seed, learning_rate" in refusal(capsys, "run", path, "-p", "xyz", "1")
    for value in ("[1", "9" * 5000, "[" * 10_000):
        assert "is not YAML" in refusal(capsys, "run", path, "-p", "seed", value)
    assert "is not a number" in refusal(capsys, "run", path, "-p", "seed", "[[1]]")
    assert "does not exist" in refusal(capsys, "run", str(root / "nothing.ipynb"))
    executed("# One", code("seed = 1 + time()", tags=["parameters"]))
    assert "literals only" in refusal(capsys, "run", path)


def test_a_refusal_stays_short_whatever_it_names(root, executed, capsys):
    long = "x" * 10_000
    executed("# One", code(f"a: int = 1\n{long}: int = 1", tags=["parameters"]))
    path = str(root / "notebooks" / "01_data.ipynb")
    refusals = [refusal(capsys, "run", path, "-p", long[:-1], "1"), refusal(capsys, "run", path, "-p", "b", "1")]
    executed("# One", f"<img src='{long}'>")
    refusals.append(refusal(capsys, "build"))
    assert max(map(len, refusals)) < 500


@pytest.mark.parametrize("when", ["while it is executed", "at its end"])
def test_a_full_disk_is_named_with_its_cure_and_the_last_notebook_stays(when, root, executed, capsys, monkeypatch):
    executed("# One")
    kept = root / "runs" / "notebooks" / "01_data.ipynb"
    before, notebook = kept.read_bytes(), nbformat.read(kept, as_version=4)

    def fill(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(running, "_execute", fill if when.startswith("while") else lambda *_: (notebook, 1.0))
    monkeypatch.setattr(nbformat, "write", fill)
    message = refusal(capsys, "run", str(root / "notebooks" / "01_data.ipynb"))
    cure = "make room on its disk, then start again"
    assert message == f"report.py: {kept} cannot be written (No space left on device): {cure}"
    assert kept.read_bytes() == before
    assert [path.name for path in kept.parent.iterdir()] == ["01_data.ipynb"]


def test_a_folder_of_executed_notebooks_that_is_another_user_s_is_named_with_a_cure(root, executed, capsys, forbidden):
    executed("# One")
    forbidden(root / "runs" / "notebooks")
    message = refusal(capsys, "run", str(root / "notebooks" / "01_data.ipynb"))
    assert message.startswith(f"report.py: {root / 'runs' / 'notebooks'}")
    assert message.endswith("cannot be written (Permission denied): make its folder writable, or choose another one")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("1e-4", 1e-4),
        ("adam", "adam"),
        ("null", None),
        ("true", True),
        ("'3'", "3"),
        ("", None),
        ("[0, 1]", [0, 1]),
    ],
)
def test_values_are_read_as_yaml(text, value):
    assert command._value(text) == value
    assert type(command._value(text)) is type(value)


# --- With a kernel ---


@pytest.mark.kernel
def test_run_streams_records_and_builds(root, executed):
    flag = root / "seen"
    wait = (
        f"import pathlib, time\nprint('ready', seed)\nwhile not pathlib.Path({str(flag)!r}).exists(): time.sleep(0.05)"
    )
    executed(
        "# One",
        code("seed: int = 0\nlearning_rate: float = 1e-3", tags=["parameters"]),
        "## Wait",
        code(wait),
        code("import os\nprint(os.environ['OMP_NUM_THREADS'], os.environ['MKL_NUM_THREADS'])"),
        provenance=None,
    )
    kept = root / "runs" / "notebooks" / "01_data.ipynb"
    kept.unlink()
    source = root / "notebooks" / "01_data.ipynb"
    script = tracking.REPOSITORY / "report.py"
    command = [sys.executable, script, "run", source, "-p", "seed", "42", "-p", "learning_rate", "1e-4"]
    environment = {name: value for name, value in os.environ.items() if name not in tracking.THREADS}
    environment |= {"MKL_NUM_THREADS": "2", "PYTHONIOENCODING": "utf-8"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8", env=environment) as process:
        lines = []
        for line in process.stdout:
            lines.append(line.strip())
            if "ready" in line:  # so it was printed while the cell still ran
                assert not kept.exists()
                flag.touch()
    assert process.returncode == 0
    assert lines == ["01_data: cell 1 of 6 · One", "01_data: cell 4 of 6 · Wait", "ready 42", "1 2", str(kept)]
    assert [path.name for path in kept.parent.iterdir()] == ["01_data.ipynb"]
    made = nbformat.read(kept, as_version=4).metadata["provenance"]
    assert made["parameters"] == {"seed": 42, "learning_rate": 1e-4}
    assert made["seconds"] > 0
    assert made["versions"]["python"] == ".".join(map(str, sys.version_info[:3]))
    assert made["command"].endswith("01_data.ipynb -p seed 42 -p learning_rate 0.0001")
    assert "seed = 42" in build(root).select_one(".provenance").get_text()


@pytest.mark.kernel
@pytest.mark.parametrize(
    ("source", "said"), [("1 / 0", "ZeroDivisionError: division by zero"), ("import os\nos._exit(1)", "its kernel ")]
)
def test_a_failed_run_is_kept_apart(root, executed, capsys, source, said):
    executed("# One", code("x = 1"), code(source))
    kept = root / "runs" / "notebooks" / "01_data.ipynb"
    before = kept.read_bytes()
    message = refusal(capsys, "run", str(root / "notebooks" / "01_data.ipynb"))
    assert "01_data.ipynb failed in cell 3 of 3" in message
    assert said in message
    assert kept.read_bytes() == before
    assert sorted(path.name for path in kept.parent.iterdir()) == ["01_data.failed.ipynb", "01_data.ipynb"]
