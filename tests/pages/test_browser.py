"""Every page of the reports in Chromium, without a network: the committed ones, and one that holds all there is."""

import json
from importlib.resources import files
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pandas as pd
import pytest

from lab.pages import interactive, site
from lab.pages.tables import table
from page_kit import code, displayed, figure, shown, stream, two_forms, write

REPORTS = Path(__file__).parents[2] / "reports"
AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
WIDE, TABLET, TELEPHONE = (1440, 900), (820, 1180), (390, 844)
LOOKS = [(size, scheme) for size in (WIDE, TELEPHONE) for scheme in ("light", "dark")]
RUNS = pd.DataFrame({"optimizer": ["adam", "sgd", "mgd"], "accuracy": [0.88, 0.09, -0.015]})
IMAGES = np.random.default_rng(0).integers(0, 256, (7, 784), dtype=np.uint8)
FOCUSED = """[[...document.querySelectorAll('*')].indexOf(document.activeElement),
              getComputedStyle(document.activeElement).outlineStyle]"""
SETTLED = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 50))))"


def sweep() -> nbformat.NotebookNode:
    """Parallel coordinates of eight runs; the deeper, the better, but the last diverged."""
    table = pd.DataFrame(
        {
            "name": [f"run_{k}" for k in range(8)],
            "layers": [1, 1, 2, 2, 3, 3, 4, 4],
            "optimizer": ["SGD", "ADAM"] * 4,
            "validationaccuracy": [0.70, 0.71, 0.80, 0.81, 0.86, 0.87, 0.90, np.nan],
        }
    )
    return displayed(interactive.parallel_coordinates, plt.figure(), "Eight runs", table, ["layers", "optimizer"])


def confusion() -> nbformat.NotebookNode:
    """A confusion matrix of three classes: three shirts are taken for coats, a bag for a shirt."""
    labels, said = np.array([0, 1, 1, 1, 1, 2, 2]), np.array([0, 0, 0, 0, 1, 1, 2])
    probabilities = np.full((7, 3), 0.1)
    probabilities[range(7), said] = [0.9, 0.8, 0.7, 0.6, 0.9, 0.75, 0.9]
    names = ("Coat", "Shirt", "Bag")
    return displayed(interactive.confusion, plt.figure(), "Three classes", names, labels, probabilities[None], IMAGES)


def curves() -> nbformat.NotebookNode:
    """The learning curves of three runs, of which two are shown; the second ended after three epochs."""
    losses = {"first": [0.9, 0.5, 0.4, 0.3, 0.25], "second": [0.8, 0.7, 0.6], "third": [5.0, 4.0, 3.0, 2.0, 1.0]}
    histories = {
        run: [
            {"epoch": k, "validationloss": loss, "validationaccuracy": 1 - loss / 10} for k, loss in enumerate(some, 1)
        ]
        for run, some in losses.items()
    }
    about = pd.DataFrame({"layers": [2, 2, 2], "optimizer": ["adam", "sgd", "sgd"]}, pd.Index(losses, name="run"))
    return displayed(
        interactive.compare,
        plt.figure(),
        "Three runs",
        histories,
        about,
        on=["first", "second"],
        links={"first": "01.html"},
    )


def many() -> nbformat.NotebookNode:
    """Twelve series over a logarithmic x, of which one is shown."""
    frame = pd.DataFrame({f"s{k}": [k + 1.0, k + 2.0] for k in range(12)}, pd.Index([0.001, 10.0], name="rate"))
    return displayed(interactive.curves, plt.figure(), "Twelve", {"loss": frame}, on=["s0"], logarithmic=["rate"])


@pytest.fixture(scope="session")
def fresh(tmp_path_factory) -> Path:
    """Pages built now, the first of everything that a page can hold, and too wide for a telephone where it can be."""
    root = tmp_path_factory.mktemp("fresh")
    wide = pd.DataFrame([range(12)] * 3, columns=[f"a_long_name_{k}" for k in range(12)])
    executed = root / "runs" / "notebooks"
    executed.mkdir(parents=True)
    write(
        executed / "01_everything.ipynb",
        "# A title with $x_k$\n\n**Goal.** Show `" + "a_long_name" * 9 + "`.",
        code("seed: int = 0  # a comment", tags=["parameters"]),
        code("import numpy as np"),
        "## Formulas\n\n$$" + " + ".join("abcdefghijklmnop") * 4 + "$$\n\n[Next](02_next.ipynb) > quoted",
        code("class Long:\n    x = '" + "x" * 200 + "'  # " + "y" * 200, tags=["show-code"]),
        "### A table\n\n| a | b |\n|---|---|\n| 1 | 2 |",
        code("wide", shown(html=wide.to_html()), shown(html=table(wide, "{:.1f}", "Wide, " * 30).to_html())),
        "### To sort",
        code("table(runs)", shown(html=table(RUNS, {"accuracy": "{:.1%}"}).to_html())),
        "## What it prints",
        code("print()", stream("stdout", "y" * 200 + "\n" + "line\n" * 60)),
        "## It answers",
        code("interactive.parallel_coordinates()", sweep()),
        code("interactive.confusion()", confusion()),
        "## On a telephone",
        code("plot()", two_forms(**{"image/png": {"alt": "A box in two forms", "width": 600}})),
        "## Findings",
        code(
            "say()",
            shown(markdown="**It holds** that $a < b$."),
            figure(**{"image/png": {"alt": "A teal box", "width": 600}}),
            tags=["found"],
        ),
    )
    write(
        executed / "02_next.ipynb", "# Next", "Text.", code("interactive.compare()", curves()), code("more()", many())
    )
    headline = {"Test accuracy": ("88.9 %", "five seeds ±0.2"), "Mistake": ("T-shirt/top for Ankle boot", "and back")}
    results = {label: {"value": value, "note": note} for label, (value, note) in headline.items()}
    (root / "runs" / "results.json").write_text(json.dumps(results))
    return site.build(executed, executed, root / "reports").parent


PAGES = [
    "fresh/01_everything",
    "fresh/02_next",
    "fresh/index",
    *(f"reports/{path.stem}" for path in sorted(REPORTS.glob("*.html"))),
]


@pytest.fixture(params=PAGES)
def path(request, fresh) -> Path:
    folder, name = request.param.split("/")
    return {"fresh": fresh, "reports": REPORTS}[folder] / f"{name}.html"


@pytest.fixture
def opened(browser):
    """`opened(path, size, scheme)` opens a page without a network; at the end nothing may have gone wrong in it."""
    contexts, watches = [], []

    def go(path: Path, size=WIDE, scheme="light", **more):
        look = dict(viewport={"width": size[0], "height": size[1]}, color_scheme=scheme, offline=True)
        contexts.append(browser.new_context(**look, **more))
        page = contexts[-1].new_page()
        watches.append(watch(page))
        page.goto(path.as_uri())
        return page

    yield go
    for context in contexts:
        context.close()
    assert [line for wrong in watches for line in wrong] == []


def watch(page) -> list[str]:
    """A list that grows with whatever goes wrong in a page: messages, errors, requests that fail or leave the disk."""
    wrong = []
    page.on("console", lambda message: wrong.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
    page.on("requestfailed", lambda request: wrong.append(f"failed: {request.url[:100]}"))
    page.on("request", lambda request: request.url.startswith(("file:", "data:")) or wrong.append(request.url))
    return wrong


def open_folds(page) -> None:
    page.evaluate("for (const fold of document.querySelectorAll('details')) fold.open = true")
    page.evaluate(SETTLED)


def test_the_checks_below_notice(browser, tmp_path):
    bad = tmp_path / "bad.html"
    bad.write_text(
        "<!DOCTYPE html><title>Bad</title><meta name='viewport' content='width=device-width'>"
        "<img src='http://127.0.0.1:9/x.png'><script>nowhere()</script><p style='width: 900px; color: #bbb'>Pale</p>"
    )
    page = browser.new_page(viewport={"width": 390, "height": 844})
    wrong = watch(page)
    page.goto(bad.as_uri())
    assert {line.partition(":")[0] for line in wrong} == {"http", "failed", "error"}
    assert {"html-has-lang", "image-alt", "color-contrast"} <= {line.partition(":")[0] for line in violations(page)}
    assert overflow(page) > 400
    page.close()


def violations(page, without: str = "") -> list[str]:
    """The broken rules, each with an element that breaks it; what `without` selects is left out."""
    page.evaluate(AXE)
    where = f"{{exclude: [['{without}']]}}, " if without else ""
    broken = page.evaluate(f"axe.run({where}{{resultTypes: ['violations']}}).then(result => result.violations)")
    return [f"{rule['id']}: {node['html'][:200]}" for rule in broken for node in rule["nodes"]]


def overflow(page) -> int:
    """Pixels by which a page is wider than its window."""
    return page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")


# --- Every page ---


def test_a_page_breaks_no_rule_of_accessibility(opened, path):
    """axe-core's rules: WCAG 2 A and AA, and best practices; one page in every look, and the others in one."""
    page, looks, without = opened(path), LOOKS[-1:], "math *"
    if path.stem == "01_everything":  # with its code open, and in its formulas, too; for all pages that takes minutes
        looks, without = LOOKS, ""
        open_folds(page)
    for (width, height), scheme in looks:
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme=scheme)
        page.evaluate(SETTLED)
        assert violations(page, without) == [], (width, scheme)


def test_a_page_is_small_its_figures_are_crisp_and_it_never_scrolls_sideways(opened, path):
    assert path.stat().st_size < 1_000_000
    page = opened(path)
    blurred = """images => images.filter(i => i.complete && i.naturalWidth < 1.9 * i.getAttribute('width'))
                                 .map(i => i.alt)"""
    assert page.locator("figure img[width]").evaluate_all(blurred) == []
    assert page.locator("img").evaluate_all("images => images.filter(i => !i.naturalWidth).length") == 0
    for width, height in (TABLET, TELEPHONE):
        page.set_viewport_size({"width": width, "height": height})
        page.evaluate(SETTLED)
        assert overflow(page) == 0, width
    open_folds(page)
    assert overflow(page) == 0


def test_a_page_prints_whole(opened, path):
    """Nothing that breaks over pages may be cut: no figure is taller than a sheet, and nothing hides in a scroll."""
    page = opened(path, (680, 980), "dark")  # A4 with margins of 15 mm, at 96 pixels an inch
    page.emulate_media(media="print")
    assert page.locator("figure").evaluate_all("all => all.every(f => getComputedStyle(f).breakInside == 'avoid')")
    assert page.locator("figure").evaluate_all("all => all.filter(f => f.offsetHeight > 980).length") == 0
    hidden = "all => all.filter(b => b.offsetParent && b.scrollWidth > b.clientWidth + 1).map(b => b.outerHTML)"
    assert page.locator(".scroll:has(table), pre").evaluate_all(hidden) == []
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.pdf(format="A4").startswith(b"%PDF")


def test_no_table_is_printed_in_less_than_eight_points(opened, fresh):
    page = opened(fresh / "01_everything.html")
    page.emulate_media(media="print")
    sizes = page.locator("td, th").evaluate_all("all => all.map(cell => parseFloat(getComputedStyle(cell).fontSize))")
    assert 0.75 * min(sizes) >= 8  # pixels to points


# --- What a reader does ---


def test_the_reader_s_system_chooses_light_or_dark(opened, fresh):
    def darkness(scheme):
        colour = "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)"
        return sum(opened(fresh / "01_everything.html", scheme=scheme).evaluate(colour))

    assert darkness("light") == 3 * 255
    assert darkness("dark") < 3 * 50


def test_by_keyboard_the_whole_page_can_be_reached_and_worked(opened, fresh):
    page = opened(fresh / "01_everything.html", TELEPHONE)
    page.evaluate(SETTLED)
    wanted = page.locator("a[href], button:not([tabindex='-1']), select, summary, [tabindex='0']").evaluate_all(
        "all => all.filter(e => e.checkVisibility() && !e.closest('details:not([open]) > :not(summary)')).length"
    )
    seen = set()
    for _ in range(wanted):
        page.keyboard.press("Tab")
        place, outline = page.evaluate(FOCUSED)
        seen.add(place)
        assert outline != "none"
    assert len(seen) == wanted

    page.locator("a.skip").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**#content")
    contents = page.locator(".contents details")
    assert contents.get_attribute("open") is None
    contents.locator("summary").focus()
    page.keyboard.press("Enter")
    assert contents.get_attribute("open") is not None
    contents.locator("a").last.focus()
    page.keyboard.press("Enter")
    assert page.url.endswith("#Findings")


def test_one_switch_opens_all_code_and_each_fold_opens_by_itself(opened, fresh):
    page = opened(fresh / "01_everything.html")
    folds, switch = page.locator("details.code"), page.locator(".switch")

    def state():
        return folds.evaluate_all("all => all.map(fold => fold.open)")

    before = state()
    assert before == [False, True, *[False] * 7]
    folds.first.locator("summary").focus()
    page.keyboard.press("Space")
    assert state() == [True, *before[1:]]
    assert switch.inner_text() == "Show all code"
    switch.focus()
    page.keyboard.press("Enter")
    assert state() == [True] * len(before)
    page.evaluate(SETTLED)
    assert switch.inner_text() == "Hide all code"
    page.keyboard.press("Enter")
    assert state() == [False] * len(before)


def test_the_contents_follow_the_reader_on_a_wide_screen(opened, fresh):
    page = opened(fresh / "01_everything.html", (1440, 500))
    links = page.locator(".contents a")
    assert links.first.is_visible()
    page.evaluate("document.getElementById('What-it-prints').scrollIntoView({behavior: 'instant'})")
    page.evaluate(SETTLED)
    assert page.locator(".contents a[aria-current='location']").all_inner_texts() == ["What it prints"]
    assert links.first.bounding_box()["y"] > 0  # still in sight


def test_without_javascript_a_page_reads_as_well(opened, fresh):
    page = opened(fresh / "01_everything.html", java_script_enabled=False)
    assert page.locator(".found img").is_visible()
    assert not page.locator(".switch").is_visible()
    page.locator("details.code summary").first.click()
    assert page.locator("details.code pre").first.is_visible()


def test_from_the_index_to_a_page_and_back(opened, fresh):
    page = opened(fresh / "index.html")
    page.get_by_role("link", name="Next").click()
    assert page.locator("h1").inner_text() == "Next"
    page.get_by_role("link", name="Previous A title").click()
    assert page.locator("h1").inner_text().startswith("A title")
    page.get_by_role("link", name="All pages").click()
    assert "88.9\u202f%" in page.locator(".cards").inner_text()


def test_in_the_dark_the_index_frames_its_pictures_in_what_is_turned_to_dark(opened, fresh):
    pictures = opened(fresh / "index.html", scheme="dark").locator(".pages img:not(.photographs)")
    look = "all => all.map(i => [getComputedStyle(i).filter, getComputedStyle(i).backgroundColor])"
    assert pictures.evaluate_all(look) == [["invert(1) hue-rotate(180deg)", "rgb(255, 255, 255)"]] * 2


def test_what_was_found_stays_within_its_card(opened, fresh):
    page = opened(fresh / "index.html", TABLET)
    wide = "all => all.filter(card => card.scrollWidth > card.clientWidth).map(card => card.innerText)"
    assert page.locator(".cards > div").evaluate_all(wide) == []


def test_a_caption_is_read_whole_on_a_telephone_whose_table_scrolls(opened, fresh):
    page = opened(fresh / "01_everything.html", TELEPHONE)
    box = page.locator("caption").first.bounding_box()
    assert page.locator("table:has(caption)").first.bounding_box()["width"] > TELEPHONE[0]
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= TELEPHONE[0] - 60  # left of where the edge fades


# --- Interactive figures ---


@pytest.fixture
def live(opened, fresh):
    """The page with its interactive figures."""
    return opened(fresh / "01_everything.html")


def kept(page) -> list[str]:
    return [text.split(" · ")[1] for text in page.locator(".working select option").all_inner_texts()[1:]]


def axes(page) -> list[str]:
    """The names of the axes from left to right."""
    places = "all => all.map(b => [parseFloat(b.style.left), b.textContent])"
    return [name for _, name in sorted(page.locator(".stage > button").evaluate_all(places))]


def drag(page, x: float, y: float, dx: float, dy: float) -> None:
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + dx, y + dy, steps=5)
    page.mouse.up()


def test_an_axis_is_brushed_with_the_mouse(live):
    assert kept(live) == [f"run_{k}" for k in (6, 5, 4, 3, 2, 1, 0, 7)]
    area = live.locator(".area").first
    area.scroll_into_view_if_needed()
    box = area.bounding_box()
    drag(live, box["x"] + 14, box["y"] + 10, 0, box["height"] / 2 - 10)  # the upper half
    assert kept(live) == ["run_6", "run_5", "run_4", "run_7"]
    assert live.locator(".run.off").count() == 4
    assert live.locator(".said").inner_text().startswith("4 of 8 runs kept, the best with 90.00 %")
    area.click()
    assert len(kept(live)) == 8


def test_on_a_telephone_how_good_a_run_is_stands_first_and_a_still_figure_is_seen_whole(opened, fresh):
    page = opened(fresh / "01_everything.html", TELEPHONE)
    assert axes(page) == ["layers", "optimizer", "accuracy (%)"]  # three fit there
    assert axes(opened(fresh / "01_everything.html", (240, 600))) == ["accuracy (%)", "layers", "optimizer"]
    image = page.locator(".found img")
    assert image.bounding_box()["width"] <= 390
    button = page.get_by_role("button", name="Larger").first
    button.click()
    assert image.bounding_box()["width"] == 600
    assert overflow(page) == 0
    page.get_by_role("button", name="Smaller").click()
    assert image.bounding_box()["width"] <= 390


def test_a_figure_laid_out_for_telephones_is_shown_there_in_its_own_size_and_needs_no_button(opened, fresh):
    page = opened(fresh / "01_everything.html", TELEPHONE)
    picture, wide = page.get_by_alt_text("A box in two forms"), "image => image.naturalWidth"
    assert (picture.evaluate(wide), picture.bounding_box()["width"]) == (561, 374)
    assert page.locator("figure:has(source) + .enlarge").count() == 0
    assert overflow(page) == 0
    page.set_viewport_size({"width": 820, "height": 1180})
    page.evaluate(SETTLED)
    assert (picture.evaluate(wide), picture.bounding_box()["width"]) == (1200, 600)


def test_on_a_wide_screen_figures_are_shown_in_their_own_size(opened, fresh):
    """So their labels have as many points as they were drawn with."""
    page = opened(fresh / "01_everything.html")
    widths = "all => all.map(image => [image.width, Number(image.getAttribute('width'))])"
    shown = page.locator("figure img[width]").evaluate_all(widths)
    assert [width for width, own in shown if width and width < min(own, 8.4 * 96)] == []


def test_an_axis_is_moved_with_the_mouse(live):
    assert axes(live) == ["layers", "optimizer", "accuracy (%)"]
    lines = live.locator(".run").first.get_attribute("d")
    name = live.get_by_role("button", name="layers, axis 1 of 3")
    name.scroll_into_view_if_needed()
    box, last = name.bounding_box(), live.get_by_role("button", name="optimizer, axis 2 of 3").bounding_box()
    drag(live, box["x"] + 20, box["y"] + 20, last["x"] - box["x"], 0)
    assert axes(live) == ["optimizer", "layers", "accuracy (%)"]
    assert live.locator(".run").first.get_attribute("d") != lines


def test_a_line_says_its_run_on_hover(live):
    live.locator(".working svg").scroll_into_view_if_needed()
    where = live.locator(".run").last.evaluate("""path => {
        const point = path.getPointAtLength(0.9 * path.getTotalLength());
        const { left, top } = path.ownerSVGElement.getBoundingClientRect();
        return [left + point.x, top + point.y]; }""")
    live.mouse.move(*where)
    assert live.locator(".tip").inner_text() == "90.00 % · run_6"  # the best is drawn last
    assert "run_6: 90.00 %; layers 4, optimizer SGD." in live.locator(".said").inner_text()
    live.mouse.move(5, 5)
    assert not live.locator(".tip").is_visible()


def test_parallel_coordinates_are_worked_by_keyboard(live):
    name = live.get_by_role("button", name="layers")
    name.focus()
    live.keyboard.press("ArrowDown")  # from the top: four layers
    assert kept(live) == ["run_6", "run_7"]
    live.keyboard.press("ArrowDown")
    assert kept(live) == ["run_5", "run_4"]
    live.keyboard.press("Escape")
    assert len(kept(live)) == 8
    live.keyboard.press("ArrowRight")
    live.keyboard.press("ArrowRight")
    assert axes(live) == ["optimizer", "accuracy (%)", "layers"]
    assert name.evaluate("button => button == document.activeElement")
    live.get_by_role("combobox").focus()
    live.keyboard.press("ArrowDown")
    assert live.locator(".run.chosen").count() == 1
    assert "run_6: 90.00 %" in live.locator(".said").inner_text()


def test_a_cell_of_the_confusion_matrix_opens_the_mistakes_behind_it(live):
    panel, pictures = live.get_by_role("region", name="Mistakes"), live.locator(".mistakes canvas")
    rows = live.locator(".confusion tbody tr").evaluate_all("all => all.map(r => [...r.cells].map(c => c.textContent))")
    assert rows == [["Coat", "1", "", ""], ["Shirt", "3", "1", ""], ["Bag", "", "1", "1"]]
    live.get_by_role("button", name="Shirt taken for Coat: 3 of 4").click()
    assert panel.locator("li").all_inner_texts() == ["80.0 % sure", "70.0 % sure", "60.0 % sure"]
    pixels = "c => [...c.getContext('2d').getImageData(0, 0, 28, 28).data].filter((_, k) => k % 4 == 0)"
    assert pictures.first.evaluate(pixels) == (255 - IMAGES[1]).tolist()  # white is 0
    live.keyboard.press("ArrowDown")  # nothing below: no bag is taken for a coat
    assert live.locator(":focus").get_attribute("aria-label") == "Shirt taken for Coat: 3 of 4"
    live.get_by_role("button", name="Bag taken for Shirt").focus()
    live.keyboard.press("Enter")
    assert panel.locator("p").inner_text() == "Bag taken for Shirt: 1 of 2. The first of them:"
    assert pictures.count() == 1


@pytest.fixture
def drawn(opened, fresh):
    """A page with curves, and the first figure on it."""
    page = opened(fresh / "02_next.html")
    return page, page.locator("figure").first


def said(figure) -> str:
    return figure.locator(".said").inner_text()


def test_curves_are_read_with_the_slider_which_says_its_values(drawn):
    page, figure = drawn
    slider = figure.get_by_role("slider", name="epoch")
    assert said(figure) == "epoch 5. validation accuracy (%): 97.5 for first. validation loss: 0.25 for first."
    slider.focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    read = (
        "epoch 2. validation accuracy (%): 95 for first; 93 for second. validation loss: 0.5 for first; 0.7 for second."
    )
    assert said(figure) == slider.get_attribute("aria-valuetext") == read


def test_there_is_no_half_of_an_epoch(drawn):
    _, figure = drawn
    numbers = figure.locator(".panel").first.locator(".grid text[text-anchor=middle]").all_text_contents()
    assert numbers == ["1", "2", "3", "4", "5", "epoch"]


def test_a_table_that_goes_on_at_the_side_fades_there(opened, fresh):
    page = opened(fresh / "01_everything.html", (240, 600))
    stage = page.locator(".stage:has(.confusion)")
    assert "more" in stage.get_attribute("class")
    stage.evaluate("box => box.scrollTo(box.scrollWidth, 0)")
    page.evaluate(SETTLED)
    assert "more" not in stage.get_attribute("class")


def test_a_curve_says_its_value_under_the_pointer(drawn):
    page, figure = drawn
    figure.locator("svg").nth(-1).scroll_into_view_if_needed()
    box = figure.locator(".panel svg").last.bounding_box()
    page.mouse.move(box["x"] + 52, box["y"] + 12)  # the first epoch, above both
    assert figure.locator(".tip").last.inner_text() == "first: 0.9 (epoch 1)"
    page.mouse.move(box["x"] + 52, box["y"] + 60)
    tip = figure.locator(".tip").last
    assert tip.inner_text() == "second: 0.8 (epoch 1)"
    assert 0 < tip.bounding_box()["y"] - (box["y"] + 60) < 30  # it stands beside the pointer
    page.mouse.move(5, 5)
    assert not figure.locator(".tip").last.is_visible()


def test_a_name_switches_its_curve_off_and_on(drawn):
    page, figure = drawn
    lines = figure.locator(".panel").first.locator(".curve")
    name = figure.get_by_role("button", name="second")
    assert (lines.count(), name.get_attribute("aria-pressed")) == (2, "true")
    name.focus()
    page.keyboard.press("Enter")
    assert (lines.count(), name.get_attribute("aria-pressed")) == (1, "false")
    assert name.evaluate("button => button == document.activeElement")
    page.keyboard.press("Enter")
    assert lines.count() == 2


def test_dragging_across_curves_enlarges_them_and_all_brings_them_back(drawn):
    page, figure = drawn
    panel = figure.locator(".panel svg").first
    panel.scroll_into_view_if_needed()
    line, box = panel.locator(".curve").first, panel.bounding_box()
    whole = line.get_attribute("d")
    drag(page, box["x"] + 60, box["y"] + 50, (box["width"] - 62) / 2, 0)
    assert whole.count("L") == 4
    assert line.get_attribute("d").count("L") == 2  # epochs 1 to 3
    figure.get_by_role("button", name="All").click()
    assert line.get_attribute("d") == whole
    figure.get_by_role("button", name="Closer").focus()
    page.keyboard.press("Enter")
    assert line.get_attribute("d").count("L") == 2  # epochs 3 to 5, around the last


def test_what_chosen_runs_differ_in_is_a_table_and_the_rest_its_caption(drawn):
    _, figure = drawn
    table = figure.get_by_role("table", name="What the chosen ones differ in; in all of them: layers 2")
    cells = "all => all.map(row => [...row.cells].map(cell => cell.textContent))"
    assert table.locator("tr").evaluate_all(cells) == [
        ["run", "optimizer"],
        ["first", "adam"],
        ["second", "sgd"],
    ]
    assert table.get_by_role("link", name="first").get_attribute("href") == "01.html"
    figure.get_by_role("button", name="first").click()  # one alone differs in nothing
    assert figure.locator("table tr").evaluate_all(cells) == [["run", "layers", "optimizer"], ["second", "2", "sgd"]]


def test_of_many_series_those_are_listed_that_are_shown(opened, fresh):
    figure = opened(fresh / "02_next.html").locator("figure").nth(1)
    assert figure.locator(".keys button").all_inner_texts() == ["s0"]
    figure.get_by_role("combobox").select_option("s7")
    assert figure.locator(".keys button").all_inner_texts() == ["s0", "s7"]
    assert "1e\u22123" in figure.locator(".grid text").all_text_contents()
    figure.get_by_role("button", name="s0").click()
    assert figure.locator(".keys button").all_inner_texts() == ["s7"]


# --- What a screen reader is told ---


def test_a_walk_through_the_accessibility_tree_of_the_parallel_coordinates(live):
    figure = live.locator("figure.interactive").first
    tree = figure.aria_snapshot()
    assert 'button "layers, axis 1 of 3: all values"' in tree
    assert 'combobox "Run, best first:"' in tree
    assert "status: 8 of 8 runs kept, the best with 90.00 %." in tree
    figure.get_by_role("button", name="layers").focus()
    live.keyboard.press("ArrowDown")
    live.keyboard.press("ArrowRight")
    tree = figure.aria_snapshot()
    assert 'button "layers, axis 2 of 3: 4"' in tree
    assert 'status: "2 of 8 runs kept, the best with 90.00 %. Chosen: layers 4."' in tree
    figure.get_by_role("combobox").select_option(index=1)
    assert "run_6: 90.00 %; layers 4, optimizer SGD." in figure.aria_snapshot()


def test_a_walk_through_the_accessibility_tree_of_the_confusion_matrix(live):
    figure = live.locator("figure.interactive").nth(1)
    tree = figure.aria_snapshot()
    assert '- table "Three classes"' in tree
    assert '- columnheader "Shirt"' in tree
    assert '- rowheader "Shirt"' in tree
    assert 'button "Shirt taken for Coat: 3 of 4"' in tree
    figure.get_by_role("button", name="Shirt taken for Coat").focus()
    live.keyboard.press("Enter")
    opened = figure.aria_snapshot()
    assert 'button "Shirt taken for Coat: 3 of 4" [pressed]' in opened
    assert 'region "Mistakes"' in opened
    assert opened.count('img "Shirt taken for Coat"') == 3


def test_without_javascript_or_on_paper_the_still_pictures_are_shown(opened, fresh):
    page = opened(fresh / "01_everything.html", java_script_enabled=False)
    seen = [image.get_attribute("alt") for image in page.locator(".interactive img").all() if image.is_visible()]
    assert seen == ["Eight runs", "Three classes"]
    paper = opened(fresh / "01_everything.html")
    assert not paper.locator("figure.interactive img").first.is_visible()
    paper.emulate_media(media="print")
    assert paper.locator("figure.interactive img").first.is_visible()
    assert not paper.locator(".working").first.is_visible()


def test_a_heading_sorts_its_table_and_says_so(opened, fresh):
    page = opened(fresh / "01_everything.html")
    table = page.locator("table", has_text="adam")
    column = "rows => rows.map(row => row.cells[1].textContent)"
    table.get_by_role("button", name="accuracy", exact=True).click()
    assert table.locator("tbody tr").evaluate_all(column) == ["\u22121.5\u202f%", "9.0\u202f%", "88.0\u202f%"]
    assert table.get_by_role("columnheader", name="accuracy").get_attribute("aria-sort") == "ascending"
    page.keyboard.press("Enter")
    assert table.locator("tbody tr").evaluate_all(column) == ["88.0\u202f%", "9.0\u202f%", "\u22121.5\u202f%"]
    table.get_by_role("button", name="optimizer", exact=True).click()
    names = table.locator("tbody tr").evaluate_all("rows => rows.map(row => row.cells[0].textContent)")
    assert names == ["adam", "mgd", "sgd"]


def test_a_table_is_handed_over_as_a_file(opened, fresh):
    page = opened(fresh / "01_everything.html")
    with page.expect_download() as download:
        page.locator("table", has_text="adam").locator("xpath=../following-sibling::button[1]").click()
    assert download.value.suggested_filename == "To-sort.csv"
    assert Path(download.value.path()).read_text("utf-8-sig").splitlines()[:2] == [
        '"optimizer","accuracy"',
        '"adam","88.0 %"',
    ]


def test_each_fold_of_code_has_a_name_of_its_own(opened, fresh):
    names = opened(fresh / "01_everything.html").locator("details.code summary").all_text_contents()
    assert len(names) > 3
    assert len(set(names)) == len(names)
