"""The page of an export, in a real browser, from a plain static file server."""

import random
import re
import shutil

import numpy as np
import pytest

import nmt
from nmt.runs.run import Run
from nmt.search.confidence import FEATURES, Calibration

playwright = pytest.importorskip("playwright.sync_api")
axe = pytest.importorskip("axe_playwright_python.sync_playwright")

WIDE, PHONE = {"width": 1200, "height": 900}, {"width": 360, "height": 740}
NUMBERS = ("seven", "twelve", "twenty-one", "forty", "sixty-eight", "ninety")


@pytest.fixture(scope="module")
def run(number_run, tmp_path_factory) -> Run:
    """The number run with a confidence, which needs more validation lines than it has, into a language that exists."""
    folder = tmp_path_factory.mktemp("run")
    shutil.copytree(number_run.path, folder / "run")
    run = Run.open(folder / "run")
    run.config = run.config.model_copy(update={"target_language": "de"})
    coefficients = tuple(np.linspace(-1, 1, len(FEATURES)).tolist())
    run.save_calibration(Calibration(0.5, coefficients, lines=50, pearson=0.0, spearman=0.0, reliability=()))
    return run


@pytest.fixture(scope="module")
def exported(run, package, tmp_path_factory):
    directory = tmp_path_factory.mktemp("exports") / "numbers"
    options = ["export.onnx_precision=float32"]
    return nmt.export(run, directory, format="onnx", web=True, onnxruntime_web=package, overrides=options)


@pytest.fixture(scope="module")
def translator(exported):
    return nmt.load(exported)


@pytest.fixture(scope="module")
def address(exported, serving):
    with serving(exported) as address:
        yield address


@pytest.fixture
def visit(tab):
    """Opens the page at an address. At the end of the test, it may not have complained or asked another server."""
    complaints, asked, addresses = [], [], ["about:blank"]
    listeners = {
        "pageerror": lambda error: complaints.append(str(error)),
        "console": lambda each: complaints.append(each.text) if "Failed to load" not in each.text else None,
        "request": lambda request: asked.append(request.url),
    }
    for event, listener in listeners.items():
        tab.context.on(event, listener) if event == "request" else tab.on(event, listener)

    def open_page(address, *, viewport=WIDE, scheme="light"):
        addresses.append(address)
        tab.set_viewport_size(viewport)
        tab.emulate_media(color_scheme=scheme)
        tab.goto(f"{address}/web/")
        return tab

    yield open_page
    tab.context.set_offline(False)
    for event, listener in listeners.items():
        (tab.context if event == "request" else tab).remove_listener(event, listener)
    tab.goto("about:blank")
    assert complaints == []
    assert [url for url in asked if not url.startswith(tuple(addresses))] == []


def expect_ready(page):
    playwright.expect(page.locator("#search")).to_be_visible()
    return page


def translated(page, text):
    """What the page shows for a text, line by line."""
    page.fill("#text", text)
    playwright.expect(page.locator("#output .row")).to_have_count(text.count("\n") + 1)
    playwright.expect(page.locator("#output")).not_to_have_attribute("aria-busy", "true")
    return page.locator("#output .row").all_inner_texts()


HARD = [
    "TWENTY-ONE FORTY SEVEN.",
    "",
    " ",
    "SIXTY-EIGHT. NINETY!",
    "seven\u00ad. fo\u200brty",
    "１２ ﬁve",
    "seven " * 60,
]
HARD += [
    "see https://x.org/a 5 times. forty",
    "<b>seven</b> {name}",
    "😀 seven. 😀",
    "xyz",
    "日本語",
    "<b>",
    "a%s",
    "。",
]


def hundred_lines():
    choose = random.Random(1)

    def sentence() -> str:
        return choose.choice(NUMBERS) + choose.choice(".?。")

    return [*HARD, *(" ".join(sentence() for _ in range(choose.randint(1, 4))) for _ in range(100 - len(HARD)))]


def test_a_hundred_lines_are_translated_as_by_the_engine_in_python(visit, address, translator):
    page = expect_ready(visit(address))
    lines = hundred_lines()
    found = page.evaluate(
        """async (lines) => {
          const [{ download }, { Model }, { Translator }] =
            await Promise.all(["download", "model", "translator"].map((name) => import(`./${name}.js`)));
          const rules = await (await fetch("text.json")).json();
          const { contents } = await download(rules, () => {});
          const translator = new Translator(await Model.open(contents, rules.model), rules);
          const found = [];
          for (const line of lines) found.push(await translator.translate(line));
          return found;
        }""",
        lines,
    )
    expected = translator.translate(lines)
    assert [each["text"] for each in found] == [each.text for each in expected]
    assert [each["faults"] for each in found] == [list(each.faults) for each in expected]
    numbers = np.array([[each["score"], each["confidence"]] for each in found])
    np.testing.assert_allclose(numbers, [[each.n_best[0].score, each.confidence] for each in expected], atol=1e-4)
    assert sum(line != each["text"] for line, each in zip(lines, found, strict=True)) > 80


def test_what_is_typed_is_translated_line_by_line(visit, address, translator):
    page = expect_ready(visit(address))
    lines = ["seven.", "", "forty. ninety?"]
    assert translated(page, "\n".join(lines)) == [each.text for each in translator.translate(lines)]
    assert page.inner_text("#languages") == "English to German"
    assert re.fullmatch(r"Confidence \d+ %", page.inner_text("#confidence"))
    assert page.locator("#copy").is_enabled()
    page.click("#clear")
    playwright.expect(page.locator("#output")).to_be_empty()
    assert page.locator("#copy").is_disabled()


def test_the_page_opens_and_translates_without_a_network(exported, visit, serving):
    with serving(exported) as address:
        page = expect_ready(visit(address))
        expected = translated(page, "seven. forty?")
        playwright.expect(page.locator("#offline")).to_be_visible()
    page.context.set_offline(True)
    page.reload()
    expect_ready(page)
    assert translated(page, "seven. forty?") == expected


def test_a_damaged_file_is_named_and_tried_again_once_it_is_whole(exported, visit, serving, tmp_path):
    shutil.copytree(exported, tmp_path / "copy")
    weights = tmp_path / "copy" / "weights.bin"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with serving(tmp_path / "copy") as address:
        page = visit(address)
        page.fill("#text", "seven.")
        said = "../weights.bin is damaged, or of another export than this page. Your text stays here."
        playwright.expect(page.locator("#status")).to_have_text(said)
        weights.write_bytes(whole)
        page.click("#again")
        playwright.expect(page.locator("#copy")).to_be_enabled()


def test_the_readme_says_how_much_a_reader_downloads(exported, visit, address):
    page = expect_ready(visit(address))
    loaded = page.evaluate("""async () => {
      const { files } = await (await fetch("text.json")).json();
      return files.reduce((sum, file) => sum + file.size, 0);
    }""")
    (said,) = re.findall(r"downloads ([\d.]+) MB", (exported / "README.md").read_text())
    assert loaded / 1e6 < float(said) < loaded / 1e6 + 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [WIDE, PHONE], ids=["wide", "phone"])
def test_axe_finds_no_violation_and_nothing_is_wider_than_the_screen(visit, address, viewport, scheme):
    page = expect_ready(visit(address, viewport=viewport, scheme=scheme))
    translated(page, "seven. forty?\n" + "x" * 200 + "\nninety.")
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
    found = axe.Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


def test_every_control_is_reached_by_the_tab_key(visit, address):
    page = expect_ready(visit(address))
    translated(page, "seven.")
    page.focus("#text")
    reached = ["text"]
    for _ in range(3):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id"))
    assert reached == ["text", "clear", "copy", "beam"]
