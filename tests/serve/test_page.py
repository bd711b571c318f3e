"""The page, in a real browser: Debian's Chromium, driven by Playwright."""

import csv
import json
import shutil

import pytest

from ocr_lib import Predictor
from tests.serve.running import MODEL, OTHER, captcha_files, running

playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is for Python 3.9 and newer")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe's checks are for Python 3.10 and newer")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium (Debian: apt-get install chromium)")

FILES = captcha_files(3)
DROP = """([bytes, name]) => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([new Uint8Array(bytes)], name, {type: "image/png"}));
    document.dispatchEvent(new DragEvent("drop", {dataTransfer: transfer, bubbles: true, cancelable: true}));
}"""


@pytest.fixture(scope="module")
def service():
    with running(f"--model={MODEL}", f"--model={OTHER}", "--workers=1") as service:
        yield service


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as program:
        browser = program.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser, service):
    """Return a function that opens the page; what the browser complains of fails the test, violations of CSP too."""
    complaints, contexts = [], []

    def open_page(url=service.url, **options):
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(url)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert [each for each in complaints if not each.startswith("Failed to load resource")] == []


def drop(page, data, name="dropped.png"):
    rows = page.locator("#rows tr").count()
    page.evaluate(DROP, [list(data), name])
    playwright.expect(page.locator("#rows tr")).to_have_count(rows + 1)


def test_an_image_is_dropped(open_page):
    page = open_page()
    drop(page, FILES[0])
    expected = Predictor(MODEL).predict(FILES[0])
    assert page.inner_text("#text") == expected.text
    characters = page.locator(".character")
    assert [characters.nth(n).inner_text()[0] for n in range(characters.count())] == list(expected.text)
    # Each stands over its place in the image.
    image = page.locator("#image").bounding_box()
    for n, character in enumerate(expected.characters):
        box = characters.nth(n).bounding_box()
        assert box["x"] + box["width"] / 2 - image["x"] == pytest.approx(character.x / 160 * image["width"], abs=2)
        assert box["y"] < image["y"]
    assert page.locator("#alternatives li").count() == 5
    assert expected.text in page.locator("#alternatives li").first.inner_text()


def test_the_lattice_is_drawn_and_tells_its_numbers(open_page):
    page = open_page()
    drop(page, FILES[0])
    painted = """() => {
        const canvas = document.getElementById("lattice");
        const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
        return new Set(new Uint32Array(pixels.buffer)).size;
    }"""
    assert page.evaluate(painted) > 20  # colours
    page.locator("#lattice").hover(position={"x": 28 + 6, "y": 10})
    assert page.inner_text("#cell").startswith("step 1 of 48: blank ")
    page.focus("#lattice")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    assert page.inner_text("#cell").startswith("step 2 of 48: ‘")


def test_images_are_chosen_and_saved_as_csv_and_json(open_page, tmp_path):
    page = open_page()
    names = ["first.png", '=1+1,"x".png', "nothing.png"]
    contents = [FILES[0], FILES[1], b"no image"]
    page.set_input_files("#files", [{"name": n, "mimeType": "image/png", "buffer": b} for n, b in zip(names, contents)])
    playwright.expect(page.locator("#rows tr")).to_have_count(3)
    assert "nothing.png: no image" in page.inner_text("#message")
    with page.expect_download() as download:
        page.click("#csv")
    download.value.save_as(tmp_path / "readings.csv")
    texts = [reading.text for reading in Predictor(MODEL).predict(FILES[:2])]
    rows = list(csv.reader((tmp_path / "readings.csv").read_text("utf-8").splitlines()))
    assert rows[0] == ["name", "text", "confidence", "error"]
    assert [row[:2] for row in rows[1:]] == [[names[0], texts[0]], [f"'{names[1]}", texts[1]], [names[2], ""]]
    with page.expect_download() as download:
        page.click("#json")
    download.value.save_as(tmp_path / "readings.json")
    saved = json.loads((tmp_path / "readings.json").read_text("utf-8"))
    assert [each.get("text") for each in saved] == [*texts, None]
    page.click("#clear")
    assert page.locator("#rows tr").count() == 0


def test_an_image_is_pasted(open_page):
    page = open_page()
    page.evaluate(
        DROP.replace("DragEvent", "ClipboardEvent")
        .replace('"drop"', '"paste"')
        .replace("dataTransfer:", "clipboardData:"),
        [list(FILES[1]), "image.png"],
    )
    page.wait_for_selector("#rows tr")
    assert page.inner_text("#text") == Predictor(MODEL).predict(FILES[1]).text


def test_another_model_and_a_pattern(open_page):
    page = open_page()
    page.select_option("#model", "captcha-alphanumeric")
    drop(page, FILES[0])
    assert page.inner_text("#text") == Predictor(OTHER).predict(FILES[0]).text
    page.fill("#pattern", "[A-Z]{3}")
    drop(page, FILES[0])
    assert page.inner_text("#text").isupper()
    page.fill("#pattern", "(")
    page.evaluate(DROP, [list(FILES[0]), "x.png"])
    playwright.expect(page.locator("#message")).to_contain_text("regular expression")


def test_samples_by_keyboard(open_page):
    page = open_page()
    page.wait_for_selector("#samples button")
    page.focus("#samples button")
    page.keyboard.press("Enter")
    page.wait_for_selector("#rows tr")
    assert page.inner_text("#text")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone(open_page, scheme):
    page = open_page(viewport={"width": 360, "height": 740}, color_scheme=scheme, is_mobile=True, has_touch=True)
    drop(page, FILES[0])
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    found = axe.Axe().run(page).response["violations"]
    assert [each["id"] for each in found if each["impact"] in ("serious", "critical")] == []


def test_a_service_that_asks_for_a_key(browser, tmp_path):
    (tmp_path / "keys").write_text("secret\n")
    with running(f"--model={MODEL}", "--workers=1", f"--api-key-file={tmp_path / 'keys'}") as service:
        page = browser.new_page()
        page.goto(service.url)
        page.wait_for_selector("#key-label:not([hidden])")
        page.fill("#key", "secret")
        page.press("#key", "Tab")
        page.wait_for_selector("#model option", state="attached")
        drop(page, FILES[0])
        assert page.inner_text("#text") == Predictor(MODEL).predict(FILES[0]).text
        page.close()


def test_nothing_of_the_page_is_from_elsewhere(service):
    response = service.http.get("/")
    policy = response.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert "//" not in response.text
    for path in ("/page.js", "/engine.js", "/page.css"):
        assert "http" not in service.http.get(path).text
