"""The page that reads without a server, in a real browser without a network."""

import csv
import io
import random
import shutil
import subprocess
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import ocr_lib
from ocr_lib.cv import cv2
from ocr_lib.deploy.web_page import web_page
from ocr_lib.direction import logical, visual
from ocr_lib.errors import OCRError
from ocr_lib.images.decode import decode_image
from ocr_lib.preparation import Preparation
from ocr_lib.recipe.settings import override
from ocr_lib.recognize.ctc import log_likelihood
from ocr_lib.recognize.reading import readings
from tests.chromium import drop, needs_chromium, serious_faults
from tests.deploy.c_programs import CASES, make_network, make_recipe, needs_wide_sums

pytestmark = needs_chromium

ENGINE = Path(ocr_lib.__file__).parent / "deploy" / "web"
TOLERANCE = 1e-6
READ = """async (images) => {
    const files = images.map((bytes) => new File([new Uint8Array(bytes)], "image.png", { type: "image/png" }));
    return engine.read(files);
}"""
PREPARE = """async ([images, type]) => Promise.all(images.map(async (bytes) => {
    const pixels = await pixelsOf(new Blob([new Uint8Array(bytes)], { type }), bundle.image.frame);
    return Array.from(prepared(pixels, bundle.image).data);
}))"""


def pictures(count, seed=0, sizes=((36, 13), (72, 26), (50, 29), (20, 9), (90, 13), (36, 40), (33, 7))):
    """Return files of many kinds: sizes, colours, polarities, opacities."""
    rng = np.random.default_rng(seed)
    files = []
    for n in range(count):
        width, height = sizes[n % len(sizes)]
        ink = np.full((height, width), 255, np.uint8)
        for _ in range(3):
            (x, y), (u, v) = rng.integers(0, (width, height), (2, 2)).tolist()
            cv2.line(ink, (x, y), (u, v), int(rng.integers(0, 120)), int(rng.integers(1, 4)))
        noisy = np.clip(ink + rng.normal(0, 20, ink.shape), 0, 255).astype(np.uint8)
        kinds = [
            noisy,
            255 - noisy,
            rng.integers(0, 256, (height, width, 3), np.uint8),
            np.dstack([np.zeros_like(ink)] * 3 + [255 - ink]),  # dark on nothing
            np.dstack([np.full_like(ink, 255)] * 3 + [255 - ink]),  # light on nothing
            np.full((height, width), n, np.uint8),
        ]
        files.append(cv2.imencode(".png", kinds[n // len(sizes) % len(kinds)])[1].tobytes())
    return files


def expected_readings(network, recipe, files):
    """Return what the definition in Python reads."""
    preparation = Preparation.of(recipe)
    found = []
    for file in files:
        image = decode_image(file)
        logits = network.logits(preparation.prepare(image)[None]) * 2.0**network.exponent
        shares = np.exp(logits - logits.max(axis=2, keepdims=True))
        probabilities = shares / shares.sum(axis=2, keepdims=True)
        found += readings(probabilities, recipe.alphabet, widths=[preparation.line_shape(*image.shape)[1]])
    return found


def same_readings(page, network, recipe, files):
    found = page.evaluate(READ, [list(file) for file in files])
    assert len(found) == len(files)
    for mine, expected in zip(found, expected_readings(network, recipe, files)):
        assert mine["text"] == expected.text
        assert mine["confidence"] == pytest.approx(expected.confidence, abs=TOLERANCE)
        assert [each["text"] for each in mine["characters"]] == [each.text for each in expected.characters]
        for own, other in zip(mine["characters"], expected.characters):
            assert own["confidence"] == pytest.approx(other.confidence, abs=TOLERANCE)
            assert own["x"] == pytest.approx(other.x, abs=1e-3)
        np.testing.assert_allclose(np.ravel(mine["lattice"]["probabilities"]), _shown(expected), atol=TOLERANCE)


def _shown(reading):
    kept = reading.probabilities.max(axis=0) >= 0.005
    kept[0] = True
    return reading.probabilities[:, kept].ravel()


SETTINGS = [
    {},
    {"image__width": None},
    {"image__rotate": 90},
    {"image__invert": "never", "image__resize": "bilinear"},
    {"image__invert": "always", "image__rotate": 270, "image__width": None},
    {"image__crop": (0.2, 0.3)},
    {"image__ground": "subtract", "image__crop": (0.0, 0.25)},
    {"image__ground": "subtract", "image__rotate": 90, "image__width": None},
]


@pytest.mark.parametrize("settings", SETTINGS)
def test_pixels_become_what_the_package_makes_of_them(open_page, settings):
    recipe = make_recipe("pooled", **settings)
    files = pictures(84)
    prepared = open_page(recipe).evaluate(PREPARE, [[list(file) for file in files], "image/png"])
    preparation = Preparation.of(recipe)
    for n, (pixels, file) in enumerate(zip(prepared, files)):
        expected = preparation.prepare(decode_image(file, preparation.rendition))
        np.testing.assert_array_equal(pixels, expected.ravel(), err_msg=f"image {n}")


@pytest.mark.parametrize("frame", ["first", "last"])
def test_of_an_animation_the_same_frame_is_read(open_page, frame):
    recipe = make_recipe("none", image__frame=frame)
    frames = [Image.fromarray(decode_image(file)) for file in pictures(3, sizes=((36, 13),))]
    written = io.BytesIO()
    frames[0].save(written, "GIF", save_all=True, append_images=frames[1:])
    (prepared,) = open_page(recipe).evaluate(PREPARE, [[list(written.getvalue())], "image/gif"])
    image = decode_image(written.getvalue(), Preparation.of(recipe).rendition)
    np.testing.assert_array_equal(prepared, Preparation.of(recipe).prepare(image).ravel())


@pytest.mark.parametrize("i", range(len(CASES)))
def test_networks_of_all_kinds_read_the_same(open_page, i):
    recipe, network = CASES[i], make_network(CASES[i], i)
    same_readings(open_page(recipe, network), network, recipe, pictures(7, seed=i))


def test_lines_of_any_width_read_the_same(open_page):
    recipe = override(CASES[7], [("image.width", None)])
    network = make_network(recipe)
    files = pictures(6, sizes=((400, 13), (1200, 30), (30, 40)))
    same_readings(open_page(recipe, network), network, recipe, files)
    far = cv2.imencode(".png", np.full((2, 2000), 255, np.uint8))[1].tobytes()
    (reading,) = open_page(recipe, network).evaluate(READ, [list(far)])
    with pytest.raises(OCRError) as refusal:
        Preparation.of(recipe).prepare(decode_image(far))
    assert reading["error"] == str(refusal.value)


def test_both_widths_of_sums_are_tried():
    assert {needs_wide_sums(make_network(recipe, i), recipe) for i, recipe in enumerate(CASES)} == {False, True}


def test_alternatives_are_the_most_probable_texts(open_page):
    """All texts of a few steps are gone through, by the definition of CTC in Python."""
    recipe = make_recipe("none", text__alphabet="01")
    rng = np.random.default_rng(4)
    steps = np.log(rng.dirichlet([0.6] * 3, 5))
    found = open_page(recipe).evaluate("(steps) => nBest(steps, 6, 40)", steps.tolist())
    labels = [label for count in range(6) for label in product((1, 2), repeat=count)]
    likelihoods = log_likelihood(np.repeat(steps[:, None], len(labels), axis=1), labels)
    best = sorted(zip(likelihoods.tolist(), labels), reverse=True)[:6]
    assert [tuple(each["label"]) for each in found] == [label for _, label in best]
    np.testing.assert_allclose([each["likelihood"] for each in found], [each for each, _ in best])


def test_text_from_right_to_left_is_brought_into_its_order(open_page):
    alphabet = "אבגשלםמבכ" + "ابتجدس١٢٣" + "abX 0123456789.,:%+-()[]«»!/\u0301\u05b8\u200f\u200c"
    alphabet = "".join(dict.fromkeys(alphabet))
    recipe = make_recipe("none", text__direction="rtl", text__alphabet=alphabet)
    choose = random.Random(5)
    texts = ["".join(choose.choices(alphabet, k=choose.randint(0, 14))) for _ in range(3000)]
    page = open_page(recipe)
    for way in (visual, logical):
        found = page.evaluate(f"(texts) => texts.map((text) => {way.__name__}(text, bundle.bidi))", texts)
        assert found == [way(text) for text in texts]
    network = make_network(recipe)
    same_readings(page, network, recipe, pictures(4))


def test_used_from_a_disk_without_a_network(open_page, tmp_path):
    recipe, network = CASES[7], make_network(CASES[7])
    files = pictures(2)
    shown = [decode_image(file) for file in files]
    page = open_page(recipe, network, shown, viewport={"width": 360, "height": 740}, is_mobile=True, has_touch=True)
    page.wait_for_selector("#samples button")
    assert page.locator("#samples button").count() == 2
    page.locator("#samples button").first.click()
    page.wait_for_selector("#rows tr")
    first, second = (reading.text for reading in expected_readings(network, recipe, files))
    assert page.inner_text("#text") == first
    drop(page, files[1], "second.png")
    assert page.inner_text("#text") == second
    assert page.inner_text("#alternatives")
    page.locator("#lattice").hover(position={"x": 28 + 6, "y": 10})
    assert page.inner_text("#cell").startswith("step 1 of ")
    drop(page, b"no image", "text.png")
    assert "text.png: no image" in page.inner_text("#message")
    with page.expect_download() as download:
        page.click("#csv")
    download.value.save_as(tmp_path / "readings.csv")
    rows = list(csv.reader((tmp_path / "readings.csv").read_text("utf-8").splitlines()))
    assert [row[1] for row in rows] == ["text", first, second, ""]
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.locator("#pattern").is_visible()
    assert serious_faults(page) == []


def test_nothing_in_a_name_or_an_alphabet_is_taken_for_code(open_page):
    recipe = make_recipe("none", text__alphabet="</script>'\"&")
    page = open_page(recipe)
    assert page.evaluate("bundle.alphabet.join('')") == recipe.text.alphabet


@pytest.mark.parametrize(
    "recipe, message",
    [
        (make_recipe(image__height=300), "too large for the page: OCR_MAX_HEIGHT is 300"),
        (make_recipe("one", network__layers=9, network__bidirectional=True), "OCR_DIRECTIONS is 18"),
    ],
)
def test_what_the_page_can_not_read_is_refused(recipe, message):
    with pytest.raises(OCRError, match=message):
        web_page(make_network(recipe), recipe, "small", [])


def test_the_engine_is_what_its_source_makes(tmp_path):
    compiler = shutil.which("clang-14")
    if not compiler or not shutil.which("wasm-ld"):
        pytest.skip("needs clang 14 and lld (Debian 12: apt-get install clang lld)")
    shutil.copytree(ENGINE.parent / "c", tmp_path / "c")
    shutil.copytree(ENGINE, tmp_path / "web", ignore=shutil.ignore_patterns("*.wasm"))
    subprocess.run(["make", "-s", "-C", tmp_path / "web", f"CLANG={compiler}"], check=True)
    for name in ("reader32.wasm", "reader64.wasm"):
        assert (tmp_path / "web" / name).read_bytes() == (ENGINE / name).read_bytes()
