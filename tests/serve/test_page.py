"""The page, in a real browser: Debian's Chromium, driven by Playwright."""

import csv
import json
from functools import partial

import pytest

from ocr_lib import Predictor
from tests.chromium import DROP, drop, needs_chromium, opening, playwright, serious_faults
from tests.serve.running import MODEL, OTHER, captcha_files, running

pytestmark = needs_chromium

FILES = captcha_files(3)


@pytest.fixture(scope="module")
def service():
    with running(f"--model={MODEL}", f"--model={OTHER}", "--workers=1") as service:
        yield service


@pytest.fixture
def open_page(browser, service):
    with opening(browser) as open_page:
        yield partial(open_page, service.url)


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
    assert serious_faults(page) == []


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
