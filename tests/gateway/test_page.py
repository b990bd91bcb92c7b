"""The page at /, in a real browser in front of a real gateway."""

import re
from contextlib import contextmanager

import pytest
from chromium import open_tab

from nmt.gateway.server import start as start_gateway
from nmt.gateway.settings import GatewaySettings

playwright = pytest.importorskip("playwright.sync_api")
axe = pytest.importorskip("axe_playwright_python.sync_playwright")

WIDE, PHONE = {"width": 1200, "height": 900}, {"width": 360, "height": 740}
PANELS = ("alternatives", "attention", "glossary-box", "file-box")
ENGLISH = "This is an English sentence that is long enough to be recognized."


@pytest.fixture(scope="module")
def tab():
    """A tab of a browser, for all tests: a new one takes two seconds of a core."""
    with playwright.sync_playwright() as driver, open_tab(driver, timeout=30_000) as tab:
        yield tab


@pytest.fixture
def visit(tab):
    """Opens an address. At the end of the test, no page may have complained or asked another server."""
    complaints, asked, addresses = [], [], ["about:blank"]
    listeners = {
        "pageerror": lambda error: complaints.append(str(error)),
        # Refused and failed requests are what some tests are about; Chromium logs each.
        "console": lambda each: complaints.append(each.text) if "Failed to load" not in each.text else None,
        "request": lambda request: asked.append(request.url),
    }
    for event, listener in listeners.items():
        tab.on(event, listener)

    def open_page(address, *, viewport=WIDE, scheme="light"):
        addresses.append(address)
        tab.goto("about:blank")
        tab.set_viewport_size(viewport)
        tab.emulate_media(color_scheme=scheme)
        tab.goto(address)
        return tab

    yield open_page
    for event, listener in listeners.items():
        tab.remove_listener(event, listener)
    tab.unroute_all(behavior="ignoreErrors")
    tab.context.set_offline(False)
    tab.context.clear_permissions()
    tab.goto("about:blank")
    assert complaints == []
    assert [url for url in asked if not url.startswith(tuple(addresses))] == []


@pytest.fixture(scope="module")
def guarded(settings, running):
    """A gateway that asks for a key."""
    with running({**settings, "keys": [{"key": "ann"}], "key_required": True}) as address:
        yield address


@pytest.fixture
def page(visit, gateway):
    return visit(gateway)


def expect(page, selector, text):
    playwright.expect(page.locator(selector)).to_have_text(text, timeout=30_000, use_inner_text=True)


def translated(page, text, translation):
    page.fill("#text", text)
    expect(page, "#output", translation)


def timers(page, wait):
    """From now on the page's timers wait as `wait` says, JavaScript of `ms`; gives how long they were to wait."""
    page.evaluate(
        f"""() => {{
          const start = setTimeout;
          window.waits = [];
          window.setTimeout = (act, ms) => (waits.push(ms), start(act, {wait}));
        }}"""
    )
    return lambda: page.evaluate("waits")


NEVER = "ms < 1000 ? ms : 1e9"  # what is to be asked again after some seconds
SOON = "Math.min(ms, 300)"


def count_requests(page):
    asked = []
    page.on("request", lambda request: asked.append(request) if request.url.endswith("/translate") else None)
    return asked


# ---- type and see


def test_what_is_typed_is_translated_after_a_pause_and_not_at_every_key(page):
    expect(page, "#count", "0 / 20,000 characters")
    waits = timers(page, "ms")
    page.locator("#text").press_sequentially("good morning, red house")
    expect(page, "#output", "guten Morgen, rotes Haus")
    assert waits() == [300] * 23
    expect(page, "#count", "23 / 20,000 characters")


def test_an_outdated_request_is_given_up(page):
    expect(page, "#count", "0 / 20,000 characters")
    held = []
    page.route("**/translate", lambda route: held.append(route), times=1)
    with page.expect_request("**/translate"):
        page.fill("#text", "good")
    with page.expect_event("requestfailed"):
        page.fill("#text", "good house")
    expect(page, "#output", "guten Haus")
    assert held[0].request.failure == "net::ERR_ABORTED"


def test_paragraphs_and_white_space_stay(page):
    page.fill("#text", "  good morning\n\n\tred house\n")
    expect(page, "#output", "guten Morgen rotes Haus")
    assert page.locator("#output .row").all_text_contents() == ["  guten Morgen", "", "\trotes Haus", ""]


def test_an_empty_text_has_an_empty_translation(page):
    translated(page, "good", "guten")
    page.click("#clear")
    expect(page, "#output", "")
    expect(page, "#confidence", "")
    assert page.locator("#copy").is_disabled()


def test_other_translations_are_listed_once_they_are_asked_for(page):
    asked = count_requests(page)
    translated(page, "good house", "guten Haus")
    assert "alternatives" not in asked[-1].post_data_json
    page.click("#alternatives summary")
    playwright.expect(page.locator("#alternatives-list li > span")).to_have_text(["guten Haus!", "guten Haus?"])


def test_a_text_that_is_too_long_is_not_sent_and_not_cut(visit, start):
    page = visit(start(limits={"characters": 10, "requests": None}))
    asked = count_requests(page)
    page.fill("#text", "good morning 😀")
    expect(page, "#status", "The text is too long by 4 characters. Shorten it to translate it.")
    expect(page, "#count", "14 / 10 characters")
    assert page.input_value("#text") == "good morning 😀"
    assert page.get_attribute("#text", "aria-invalid") == "true"
    assert asked == []
    translated(page, "good", "guten")
    expect(page, "#status", "")


# ---- which words read which


def marked(page):
    return page.locator("#mirror mark").all_inner_texts()


def test_pointing_at_a_word_marks_the_source_words_that_it_read(page):
    translated(page, "hello\ngood morning", "hello guten Morgen")
    page.hover(".word >> text=Morgen")
    assert marked(page) == ["morning"]
    expect(page, "#reads", "Morgen ← morning (100 %)")
    page.hover("h1")
    assert marked(page) == []
    expect(page, "#reads", "")


def test_the_marks_lie_behind_the_words_of_the_text_area(page):
    translated(page, "good morning\n\nred house", "guten Morgen rotes Haus")
    boxes = [page.locator(each).bounding_box() for each in ("#mirror", "#text")]
    assert boxes[0] == boxes[1]
    assert page.locator("#mirror").evaluate("it => it.textContent") == "good morning\n\nred house\n"
    styles = "it => ['font', 'padding', 'whiteSpace', 'overflowWrap'].map(name => getComputedStyle(it)[name])"
    assert page.locator("#mirror").evaluate(styles) == page.locator("#text").evaluate(styles)


def test_nothing_is_marked_in_a_text_that_is_not_the_translated_one_any_more(page):
    translated(page, "good morning", "guten Morgen")
    page.route("**/translate", lambda route: None)
    page.fill("#text", "so good morning")
    page.hover(".word >> text=Morgen")
    expect(page, "#reads", "Morgen ← morning (100 %)")
    assert marked(page) == []


def test_arrow_keys_go_from_word_to_word(page):
    translated(page, "good red house", "guten rotes Haus")
    page.focus("#output")
    told = []
    for key in ("ArrowRight", "ArrowRight", "ArrowLeft", "End", "ArrowRight", "Home", "Escape"):
        page.keyboard.press(key)
        told.append(page.inner_text("#reads").partition(" ")[0])
    assert told == ["guten", "rotes", "guten", "Haus", "Haus", "guten", ""]
    assert page.evaluate("document.activeElement.id") == "output"


def test_the_map_tells_each_weight_in_words_too(page):
    translated(page, "good house", "guten Haus")
    page.click("#attention summary")
    table = page.locator("#attention-map table")
    assert table.locator("th[scope=col]").all_inner_texts() == ["good", "house"]
    assert table.locator("th[scope=row]").all_inner_texts() == ["guten", "Haus"]
    assert [cell.inner_text() for cell in table.locator("tbody td").all()] == ["100 %", "", "", "100 %"]
    shades = table.locator("tbody td").evaluate_all("cells => cells.map(it => getComputedStyle(it).backgroundColor)")
    assert shades[0] == shades[3] != shades[1] == shades[2]


def test_a_long_text_has_a_map_for_each_part(page):
    translated(page, "good house\nred", "guten Haus rotes")
    page.click("#attention summary")
    rows = page.locator("#attention-map th[scope=row]")
    expect(page, "#attention-place", "1 of 2")
    page.click("#attention-after")
    assert rows.all_inner_texts() == ["rotes"]
    page.hover(".word >> text=Haus")
    assert rows.all_inner_texts() == ["guten", "Haus"]


def test_pieces_are_found_in_the_text_whatever_their_case_and_lost_ones_harm_no_others(page):
    read = page.evaluate(
        """async () => {
          const { readLine } = await import("/words.js");
          const details = {
            sourcePieces: ["▁the", "▁ex", "am", "▁", "2", "2"],
            targetPieces: ["▁die", "▁ﬁ", "▁prüf", "ung", "."],
            alignment: [[1, 0, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0], [0, 0.5, 0.25, 0.25, 0, 0], [0, 0.5, 0.5, 0, 0, 0],
                        [0, 0, 0, 0, 0.5, 0.5]],
          };
          return readLine("THE EXAM 22", "DIE fi PRÜFUNG.", details, { source: "en", target: "no such language" });
        }"""
    )
    assert [word["text"] for word in read["sources"]] == ["THE", "EXAM", "22"]
    assert [word["text"] for word in read["targets"]] == ["DIE", "fi", "PRÜFUNG", "."]
    assert read["weights"] == [[1, 0, 0], [0, 0, 0], [0, 0.875, 0.125], [0, 0, 1]]


def test_a_very_long_line_is_translated_without_details_whose_size_is_its_length_squared(page):
    asked = count_requests(page)
    translated(page, "good house " * 150, "guten Haus " * 150)
    assert asked[-1].post_data_json["details"] is False
    page.hover(".word >> nth=0")
    expect(page, "#reads", "")
    page.click("#attention summary")
    expect(page, "#attention-note", "For this text, nothing is known about which words read which.")


def test_parts_are_cut_only_where_nothing_reads_across(page):
    parts = page.evaluate(
        """async () => {
          const { partsOf } = await import("/words.js");
          const weights = [[1, 0, 0, 0], [0, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 1]];
          return [1, 3, 9].map((most) => partsOf({ weights }, most));
        }"""
    )
    first, crossed, last = ([0, 1], [0, 1]), ([1, 3], [1, 3]), ([3, 4], [3, 4])
    found = [[(each["targets"], each["sources"]) for each in some] for some in parts]
    assert found == [[first, crossed, last], [([0, 3], [0, 3]), last], [([0, 4], [0, 4])]]


def test_the_less_sure_a_line_the_deeper_its_shade_and_it_is_said(page):
    translated(page, "good\nred", "guten rotes")
    expect(page, "#confidence", "Confidence 50 %, lowest 50 % in line 1")
    assert page.locator("#output .line").first.evaluate("it => it.style.getPropertyValue('--doubt')") == "0.5"


# ---- languages


def options(page, selector):
    return page.locator(f"{selector} option").evaluate_all("all => all.map(it => it.value)")


def test_targets_are_those_that_the_source_can_be_translated_into(page):
    expect(page, "#count", "0 / 20,000 characters")
    assert options(page, "#source") == ["auto", "de", "en", "fr"]
    assert options(page, "#target") == ["de"]
    page.select_option("#source", "fr")
    assert options(page, "#target") == ["de", "en"]
    assert page.locator("#swap").is_disabled()
    page.select_option("#target", "en")
    page.select_option("#source", "auto")
    assert page.input_value("#target") == "en"


def test_the_detected_language_is_shown(page):
    expect(page, "#count", "0 / 20,000 characters")
    page.select_option("#source", "auto")
    assert page.locator("#swap").is_disabled()
    translated(page, ENGLISH + " good house", ENGLISH + " guten Haus")
    assert page.locator("#source option:checked").inner_text() == "Detect language: English"
    expect(page, "#status", "Detected language: English")
    page.click("#swap")
    assert (page.input_value("#source"), page.input_value("#target")) == ("de", "en")


def test_swapping_takes_the_translation_for_the_text(page):
    translated(page, "good morning", "guten Morgen")
    page.click("#swap")
    assert (page.input_value("#source"), page.input_value("#target")) == ("de", "en")
    assert page.input_value("#text") == "guten Morgen"
    expect(page, "#output", "good morning")


def test_text_from_right_to_left_is_set_so_and_its_keys_too(visit, start, models):
    page = visit(start(models=[{"source": "ar", "target": "he", "address": f"{models}/en-de"}]))
    translated(page, "صباح الخير\nhello", "صباح الخير hello")
    direction = "it => getComputedStyle(it).direction"
    assert page.locator("#text").evaluate(direction) == "rtl"
    lines = page.locator("#output .line")
    assert lines.evaluate_all(f"all => all.map({direction})") == ["rtl", "ltr"]
    assert lines.first.bounding_box()["x"] > lines.last.bounding_box()["x"] + 100  # at the right side
    assert page.get_attribute("#output", "lang") == "he"
    page.click("#alternatives summary")
    playwright.expect(page.locator("#alternatives-list li")).to_have_count(2)
    side = {}
    for word in ("صباح", "hello"):
        page.hover(f".word >> text={word}")
        side[word] = page.locator("#mirror mark").bounding_box()["x"]
    assert side["صباح"] > side["hello"] + 100
    page.focus("#output")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    expect(page, "#reads", "الخير ← الخير (100 %)")


# ---- copy, files, glossary, key, address


@pytest.mark.parametrize("secure", [True, False])
def test_the_translation_is_copied_as_it_is(page, secure):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    if not secure:  # what browsers do where a page comes over plain HTTP from another machine
        page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    translated(page, "good morning\n\nhouse", "guten Morgen Haus")
    page.click("#copy")
    expect(page, "#copy", "Copied")
    page.focus("#text")
    page.keyboard.press("Control+A")
    page.keyboard.press("Control+V")
    assert page.input_value("#text") == "guten Morgen\n\nHaus"


def test_a_file_is_translated_and_can_be_fetched(page, tmp_path):
    (tmp_path / "letter.html").write_text("<p>good <b>morning</b></p>")
    page.click("#file-box summary")
    page.set_input_files("#file", tmp_path / "letter.html")
    page.click("#file-send")
    expect(page, "#file-status", "letter.html is translated.")
    with page.expect_download() as download:
        page.click("#file-link")
    assert download.value.path().read_text() == "<p>guten <b>Morgen</b></p>"


def test_a_file_that_is_refused_is_named_with_the_reason(page, tmp_path):
    (tmp_path / "letter.txt").write_bytes(b"\xff")
    page.click("#file-box summary")
    page.set_input_files("#file", tmp_path / "letter.txt")
    page.click("#file-send")
    expect(page, "#file-status", "letter.txt is not translated. File: not UTF-8: byte 0xff at 0.")


def test_the_terms_in_the_box_are_translated_as_it_says(page):
    page.click("#glossary-box summary")
    page.fill("#glossary", "house = Bau\nmorning")
    page.fill("#text", "good house")
    expect(page, "#status", "Line 2 of the glossary is not of the form: source = target")
    expect(page, "#glossary-error", "Line 2 is not of the form: source = target")
    page.fill("#glossary", "house = Bau")
    expect(page, "#output", "guten Bau")
    expect(page, "#glossary-error", "")


def test_where_a_server_takes_no_glossary_the_box_says_so(page):
    page.route("**/settings", lambda route: route.fulfill(json={**route.fetch().json(), "glossary": False}))
    page.reload()
    page.click("#glossary-box summary")
    expect(page, "#glossary-note", "The models of this server take no glossary.")
    assert page.locator("#glossary").is_hidden()


def test_a_glossary_has_a_term_a_line(page):
    read = """async (text) => (await import("/glossary.js")).readGlossary(text)"""
    good = page.evaluate(read, "river bank = Ufer\n\n house=Haus ")
    assert good == {"terms": [["river bank", "Ufer"], ["house", "Haus"]], "wrong": 0}
    assert [page.evaluate(read, f"a = b\n{line}")["wrong"] for line in ("a", "a =", "= b", "a = b = c")] == [2] * 4


def test_a_key_is_asked_for_only_where_there_are_keys(visit, guarded, gateway):
    page = visit(guarded)
    page.fill("#text", "good")
    expect(page, "#status", "Enter an API key: this server asks for one.")
    page.fill("#key", "eve")
    expect(page, "#status", "Invalid API key. Your text stays here.")
    page.fill("#key", "ann")
    expect(page, "#output", "guten")
    expect(page, "#status", "")
    page.reload()
    translated(page, "good house", "guten Haus")
    page = visit(gateway)
    translated(page, "good", "guten")
    assert page.locator("#key").is_hidden()


def test_the_address_holds_the_languages_and_the_text_only_if_wanted(page):
    translated(page, "good morning", "guten Morgen")
    assert page.url.partition("#")[2] == "source=en&target=de"
    page.select_option("#source", "fr")
    page.check("#keep")
    assert page.url.partition("#")[2] == "source=fr&target=de&text=good+morning"
    page.reload()
    expect(page, "#output", "[guten Morgen]")
    assert page.input_value("#text") == "good morning"
    page.uncheck("#keep")
    assert page.url.partition("#")[2] == "source=fr&target=de"


# ---- what goes wrong


def test_offline_is_said_and_what_was_typed_is_translated_once_back(page):
    translated(page, "good", "guten")
    timers(page, NEVER)
    page.context.set_offline(True)
    with page.expect_event("requestfailed", lambda request: "morning" in request.post_data):
        page.fill("#text", "good morning")
    expect(page, "#status", re.compile(r"You are offline\. Your text stays here\. Trying again in \d+ s\."))
    expect(page, "#output", "guten")
    page.context.set_offline(False)
    expect(page, "#output", "guten Morgen")
    assert page.input_value("#text") == "good morning"
    expect(page, "#status", "")


@contextmanager
def gateway_at(settings, port=0):
    server = start_gateway(GatewaySettings.model_validate(settings), host="127.0.0.1", port=port)
    yield server.port
    server.close()


@pytest.mark.parametrize("asked", ["by hand", "by itself"])
def test_a_server_that_is_gone_is_said_and_asked_again_once_it_is_back(visit, settings, asked):
    with gateway_at(settings) as port:
        page = visit(f"http://127.0.0.1:{port}")
        translated(page, "good", "guten")
    timers(page, SOON if asked == "by itself" else NEVER)
    page.fill("#text", "good morning")
    expect(page, "#status", re.compile(r"The server does not answer\. Your text stays here\. Trying again in \d+ s\."))
    with gateway_at(settings, port):
        if asked == "by hand":
            page.click("#again")
        expect(page, "#output", "guten Morgen")
        expect(page, "#status", "")
        assert page.locator("#again").is_hidden()


def test_what_the_server_refuses_is_said_in_its_words(visit, start, models):
    gone = {"source": "en", "target": "de", "address": "http://127.0.0.1:9/gone"}
    unknown = {"source": "en", "target": "fr", "address": f"{models}/unknown"}
    page = visit(start(models=[gone, unknown]))
    page.fill("#text", "good")
    text = r"The model en-de does not answer; try again later\. Your text stays here\. Trying again in \d+ s\."
    expect(page, "#status", re.compile(text))
    page.select_option("#target", "fr")
    expect(page, "#status", "The model en-fr could not translate this. Your text stays here.")
    assert page.input_value("#text") == "good"


# ---- for everybody


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [WIDE, PHONE], ids=["wide", "phone"])
def test_axe_finds_no_violation_and_nothing_is_wider_than_the_screen(visit, guarded, viewport, scheme):
    page = visit(guarded, viewport=viewport, scheme=scheme)
    page.fill("#key", "ann")
    translated(page, "good morning\nred house " + "x" * 200, "guten Morgen rotes Haus " + "x" * 200)
    for panel in PANELS:
        page.click(f"#{panel} summary")
    playwright.expect(page.locator("#alternatives-list li")).to_have_count(2)
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
    page.context.set_offline(True)
    page.fill("#text", "good")
    playwright.expect(page.locator("#again")).to_be_visible()
    page.hover(".word >> text=Morgen")
    found = axe.Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


def test_every_control_is_reached_by_the_tab_key(page):
    translated(page, "good", "guten")
    page.focus("header a")
    reached = []
    for _ in range(16):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.parentElement.id"))
    ways = ["source", "swap", "target", "text", "clear", "output", "copy", *PANELS, "keep"]
    assert [each for each in reached if each in ways][: len(ways)] == ways
