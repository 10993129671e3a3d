"""Values from files are text: no name, record, parameter or result becomes markup, and no script of theirs runs."""

import base64
import io
import json
import random
import struct
import zlib

import nbformat
import pytest
from nbformat.v4 import new_markdown_cell, new_output
from PIL import Image

from lab.execution.notebook import NotebookError
from lab.pages import INTERACTIVE, NARROW, exporter, markdown, markup, pictures, refusals, site, typography, words
from lab.pages.refusals import ReportError
from page_kit import PROVENANCE, code, figure, shown, stream, write

SCRIPTS = (
    "<script>window.hostile = 1</script>",
    "<svg onload='window.hostile = 1'>",
    "<img src='x' onerror='window.hostile = 1'>",
    "</script><script>window.hostile = 1</script>",
    "'\"><iframe srcdoc='<script>parent.hostile = 1</script>'></iframe>",
    "[x](javascript:window.hostile=1) ![x](https://127.0.0.1:9/x.png)",
)
HOSTILE = " ".join(SCRIPTS)


def page(tmp_path, *cells, **more) -> exporter.Page:
    write(tmp_path / "01_page.ipynb", "# One", *cells, **more)
    return exporter.page(tmp_path / "01_page.ipynb")


def refused(tmp_path, cell) -> str:
    with pytest.raises(ReportError) as refusal:
        page(tmp_path, cell)
    assert "cell 2" in str(refusal.value)
    assert len(str(refusal.value).splitlines()) == 1
    return str(refusal.value)


@pytest.fixture
def hostile(tmp_path):
    """Reports of which every value that comes from a file is hostile."""
    executed = tmp_path / "runs" / "notebooks"
    executed.mkdir(parents=True)
    provenance = PROVENANCE | {
        "commit": HOSTILE,
        "machine": HOSTILE,
        "command": HOSTILE,
        "parameters": {HOSTILE: HOSTILE},
        "versions": {HOSTILE: HOSTILE},
    }
    said = words.markdown(f"Chosen: {words.plain(HOSTILE)}. Careless: " + " ".join(SCRIPTS[:5]))
    cells = [
        "# One",
        code("print(name)", stream("stdout", HOSTILE)),
        code("say()", shown(markdown=said.data), figure(**{"image/png": {"alt": HOSTILE}}), tags=["found"]),
        code(f"# {HOSTILE}"),
    ]
    write(executed / "01_one.ipynb", *cells, provenance=provenance)
    (tmp_path / "runs" / "results.json").write_text(json.dumps({HOSTILE: {"value": HOSTILE, "note": HOSTILE}}))
    return site.build(executed, executed, tmp_path / "reports")


@pytest.mark.parametrize("name", ["01_one", "index"])
def test_no_script_of_a_value_runs_and_the_value_can_be_read(hostile, browser, name):
    tab = browser.new_page()
    tab.goto((hostile.parent / f"{name}.html").as_uri())
    assert tab.evaluate("window.hostile") is None
    assert tab.locator("main iframe, main svg, main a[href^=javascript]").count() == 0
    assert SCRIPTS[0] in tab.locator("body").inner_text()
    tab.close()


@pytest.mark.parametrize("script", SCRIPTS[:5])
def test_what_got_into_a_page_all_the_same_does_not_run(hostile, browser, script):
    """The policy of a page names its own scripts by their hashes, so that others are blocked."""
    infected = hostile.with_name("infected.html")
    infected.write_text(hostile.read_text("utf-8").replace("</main>", f"{script}</main>"), "utf-8")
    blocked = []
    tab = browser.new_page()
    tab.on("console", lambda message: blocked.append(message.text))
    tab.goto(infected.as_uri())
    assert tab.evaluate("window.hostile") is None
    assert any("Content Security Policy" in text for text in blocked)
    tab.close()


def test_values_in_a_sentence_are_read_as_they_are(tmp_path):
    said = words.markdown(f"It is **{words.plain('a_b *c* [d](e) <f> $g$ | `h`')}**, $a = b$.")
    made = page(tmp_path, code("say()", shown(markdown=said.data), tags=["found"]))
    assert "<strong>a_b *c* [d](e) &lt;f&gt; $g$ | `h`</strong>" in made.lead
    assert "<math" in made.lead


@pytest.mark.parametrize(
    ("markup", "said"),
    [
        ("<script>1</script>", "<script>"),
        ("<script type='module'>import {x} from 'https://x.org/m.js'</script>", "https://x.org/m.js"),
        ("<script type='module'>await import('//x.org/n.js')</script>", "//x.org/n.js"),
        ("<b onclick='x()'>b</b>", "onclick"),
        ("<b ONCLICK='x()'>b</b>", "onclick"),
        ("<svg><a xlink:href='javascript:x()'>b</a></svg>", "javascript:"),
        ("<a href=' javascript:x()'>b</a>", "javascript:"),
        ("<a href='data:text/html,x'>b</a>", "data:"),
        ("<iframe srcdoc='x'></iframe>", "<iframe>"),
        ("<meta http-equiv='refresh' content='0'>", "<meta>"),
        ("<base href='#'>", "<base>"),
        ("<plaintext>", "<plaintext>"),
        ("<table background='x.png'></table>", "x.png"),
        ("<form><input></form>", "<form>"),
        ("<svg><use href='x.svg'/></svg>", "x.svg"),
        ("<p style='background: url(x.png)'>", "x.png"),
    ],
)
def test_markup_that_runs_or_fetches_is_refused_in_outputs_and_in_text(tmp_path, markup, said):
    assert said in refused(tmp_path, code("f()", shown(html=markup)))
    assert said in refused(tmp_path, code("f()", shown(markdown=f"a\n\n{markup}")))
    assert said in refused(tmp_path, new_markdown_cell(f"a\n\n{markup}"))


@pytest.mark.parametrize("value", [None, True, 3, "x", [], ["x"], {"a": 1}])
@pytest.mark.parametrize(
    "form", ["image/png", "text/html", "text/markdown", "text/latex", "text/plain", NARROW, INTERACTIVE]
)
def test_an_output_of_another_type_than_its_form_is_damaged_or_shown(tmp_path, form, value, monkeypatch):
    monkeypatch.setattr(nbformat.v4.nbbase, "validate", lambda *_, **__: None)
    for data in ({form: value}, figure().data | {form: value}, {"text/html": "x", form: value}):
        output = figure(**{"image/png": {"alt": "a"}}) | {"data": data}
        cell = code("f()")
        cell.outputs = [nbformat.from_dict(output)]
        try:
            page(tmp_path, cell)
        except (ReportError, NotebookError) as error:
            assert len(str(error).splitlines()) == 1  # noqa: PT017


@pytest.mark.parametrize("value", [None, True, 3, "x", [], {"a": 1}])
@pytest.mark.parametrize("name", ["picture", "image/png", "image/jpeg"])
def test_metadata_of_an_output_are_no_others_than_ours(tmp_path, name, value):
    output = figure(**{"image/png": {"alt": "a"}} | {name: value})
    try:
        assert 'alt="a"' in page(tmp_path, code("f()", output)).body
    except ReportError as error:
        assert len(str(error).splitlines()) == 1  # noqa: PT017


@pytest.mark.parametrize("value", [None, True, 3, "x", {"remove_source": True}])
@pytest.mark.parametrize("name", ["opening", "section", "sources", "transient"])
def test_metadata_of_a_cell_cannot_pass_for_ours(tmp_path, name, value):
    cell = code("print('seen')")
    cell.metadata[name] = value
    assert page(tmp_path, cell).body == page(tmp_path, code("print('seen')")).body


ELSEWHERE = '<meta http-equiv="refresh" content="0;url=https://127.0.0.1:9/">'


@pytest.mark.parametrize("opening", ["<!-->", "<!--->", "<!-- --!>", "<![CDATA[>"])
def test_what_a_browser_ends_earlier_than_its_reader_does_is_no_part_of_a_page(tmp_path, opening):
    """An empty comment to a browser, <!--> goes on up to --> for html.parser, which sees no markup within."""
    body = page(tmp_path, code("f()", shown(html=f"before{opening}{ELSEWHERE}-->]]>after"))).body
    assert "before" in body
    assert "refresh" not in body


@pytest.mark.parametrize("drawing", ["svg", "math"])
def test_no_markup_hides_in_a_style_sheet_which_within_a_drawing_is_none(tmp_path, drawing):
    markup = f"<{drawing}><style>{ELSEWHERE}</style></{drawing}>"
    assert "a style sheet holds no <" in refused(tmp_path, code("f()", shown(html=markup)))


def test_an_image_without_an_address_is_refused(tmp_path):
    assert "a picture is damaged" in refused(tmp_path, new_markdown_cell("<img alt='x'>"))


@pytest.mark.parametrize("link", ["https://x.org", "02_model.ipynb#Why", "#Why", "mailto:a@b.org", "../README.md"])
def test_links_that_lead_somewhere_are_kept(tmp_path, link):
    assert f'href="{link}"'.replace(".ipynb", ".html") in page(tmp_path, f"[x]({link})").body


# --- Odd outputs ---


def png(width: int, height: int) -> str:
    """A PNG that says how large it is, and has no pixels."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = [header, b"IDAT" + zlib.compress(b"\0"), b"IEND"]
    parts = [struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in chunks]
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"".join(parts)).decode()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (png(20_000, 20_000), "more pixels"),
        (png(9, 9), "damaged"),
        ("no base64!", "damaged"),
        (base64.b64encode(b"no picture").decode(), "damaged"),
    ],
)
def test_pictures_that_are_too_large_or_none_are_refused(tmp_path, data, said):
    output = new_output("display_data", data={"image/png": data}, metadata={"image/png": {"alt": "A"}})
    assert said in refused(tmp_path, code("plot()", output))
    good = figure(**{"image/png": {"alt": "A box"}})
    good.data[NARROW] = data
    assert said in refused(tmp_path, code("plot()", good))
    assert said in refused(tmp_path, new_markdown_cell(f"![A](data:image/png;base64,{data.replace(' ', '')})"))
    attached = new_markdown_cell("![A](attachment:a.png)", attachments={"a.png": {"image/png": data}})
    assert said in refused(tmp_path, attached)


def test_a_missing_attachment_is_named(tmp_path):
    assert "missing attachment: a.png" in refused(tmp_path, new_markdown_cell("![A](attachment:a.png)"))


def test_an_attachment_that_holds_nothing_is_named(tmp_path):
    cell = new_markdown_cell("![A](attachment:a.png)", attachments={"a.png": {}})
    assert "missing attachment: a.png" in refused(tmp_path, cell)


def test_a_notebook_of_before_cells_had_ids_is_a_page(tmp_path):
    write(tmp_path / "01_page.ipynb", "# One", code("say()", shown(markdown="It is so."), tags=["found"]))
    old = json.loads((tmp_path / "01_page.ipynb").read_text()) | {"nbformat_minor": 4}
    for cell in old["cells"]:
        del cell["id"]
    (tmp_path / "01_page.ipynb").write_text(json.dumps(old))
    assert exporter.page(tmp_path / "01_page.ipynb").body.count("It is so.") == 2


PARTS = [" ", "\n", "a", "1", "(", "'", "<a ", "import ", "from(", "import'", "url(", "@import '", "1,", ".1", "= "]


@pytest.mark.parametrize(
    "read",
    [
        refusals.SAFE_LINK.match,
        refusals.CSS_ADDRESS.findall,
        refusals.IMPORTED.findall,
        markup.NUMBER.fullmatch,
        markdown.unlinked,
        typography.typeset,
        words.plain,
        lambda text: site.MADE.sub(b"", text.encode()),
    ],
)
def test_a_long_text_is_read_in_passing(read):
    """By patterns that would go back and forth in it, it took hours."""
    chance = random.Random(0)
    for part in [*PARTS, *("".join(chance.choices(PARTS, k=3)) for _ in range(8))]:
        read("import" + part * (10**6 // len(part)))


@pytest.mark.parametrize(("make", "part"), [(code, "**"), (str, "\\begin{a}")])
def test_what_others_parsers_would_look_at_again_and_again_is_shown_in_passing(tmp_path, make, part):
    """A minute or more: code by IPython's lexer, a text by nbconvert's parser of formulas."""
    assert page(tmp_path, make(part * 20_000)).body.count(part) == 20_000


def test_a_few_environments_that_never_end_stay_as_they_are():
    assert "<code>\\begin{a}</code>" in markdown.render(r"`\begin{a}`", [])
    many = markdown.render(r"\begin{a}x\end{a} " + r"\begin{a} " * 30, [])
    assert many.count("<math") == 1
    assert many.count(r"\begin{a}") == 30


@pytest.mark.parametrize("part", ["<a ", "<a x='", "</a", "<!--", "< "])
def test_tags_that_are_never_closed_are_text(part):
    """Of which Python's parser would take ten thousand for a quarter of a minute."""
    assert markup.tidy(f"<b>a</b> {part * 40_000}") == f"<b>a</b> {part * 40_000}".replace(part, f"&lt;{part[1:]}")


def test_what_says_how_a_page_was_made_is_taken_out_with_the_empty_lines_around_it():
    page = b"a\n\n<!-- made -->1<!-- /made -->\n\n<!-- made -->2\n<!-- /made -->b<!-- made --><!-- /made -->\n\n\nc\n"
    assert site.MADE.sub(b"", page) == b"abc\n"


def test_a_picture_beside_a_widget_is_shown(tmp_path):
    output = figure(**{"image/png": {"alt": "A box"}})
    output.data["application/vnd.jupyter.widget-view+json"] = {"model_id": "1"}
    assert 'alt="A box"' in page(tmp_path, code("plot()", output)).body


def test_lines_are_shown_as_they_stood_in_the_end(tmp_path):
    printed = stream("stdout", "10 %\r100 %\nabc\b\bX\n\b\bok\r\n")
    body = page(tmp_path, code("f()", printed, stream("stdout", "more\n"))).body
    assert '<pre class="output scroll">100 %\naX\nok\nmore\n</pre>' in body.replace("\r", "")


def test_a_photograph_for_telephones_takes_few_bytes_and_lines_keep_every_pixel():
    def address(picture):
        return f"data:image/png;base64,{base64.b64encode(pictures.encoded(picture, 'PNG')).decode()}"

    noise = Image.effect_noise((200, 200), 60).convert("RGB")
    lines = Image.new("RGB", (200, 200), "white")
    lines.paste("navy", (20, 20, 180, 24))
    assert len(pictures.lightest(address(noise))) < 0.6 * len(pictures.smaller(address(noise)))
    assert pictures.picture(pictures.lightest(address(lines))).convert("RGB").tobytes() == lines.tobytes()


def test_webp_keeps_every_pixel(tmp_path):
    made = page(tmp_path, code("plot()", figure(**{"image/png": {"alt": "A"}})))
    picture = Image.open(io.BytesIO(base64.b64decode(made.cover["src"].partition(",")[2])))
    assert (picture.format, picture.size, picture.convert("RGB").getpixel((0, 0))) == (
        "WEBP",
        (1200, 600),
        (0, 128, 128),
    )
