"""The fast renderer draws what the captcha package draws from the same numbers."""

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ImageFont

from ocr_lib.draw.captcha import CaptchaRenderer, num_draws
from ocr_lib.draw.fast import FastRenderer
from ocr_lib.draw.fonts import find_fonts
from ocr_lib.recipe.captcha import CaptchaRecipe

DIGITS = "0123456789"


@pytest.fixture(scope="module")
def fonts(font_dir):
    return find_fonts(font_dir, DIGITS, (42,))


def draws_of(texts, seed=0):
    return np.random.default_rng(seed).random((len(texts), num_draws(max(map(len, texts)))))


def random_texts(count, characters=DIGITS, least=3, most=4, seed=0):
    random = np.random.default_rng(seed)
    return ["".join(random.choice(list(characters), random.integers(least, most + 1))) for _ in range(count)]


def both(recipe, fonts, texts, characters=DIGITS, seed=0):
    """Return the images of the fast renderer and of the package, as they can be subtracted."""
    draws = draws_of(texts, seed)
    fast, package = FastRenderer(recipe, fonts, characters), CaptchaRenderer(recipe, fonts)
    return fast.render(texts, draws).astype(int), package.render(texts, draws).astype(int)


def differences(*arguments, **options):
    """Return the mean absolute difference of the two, of each image."""
    fast, package = both(*arguments, **options)
    assert fast.shape == package.shape
    return np.abs(fast - package).mean((1, 2))


def test_both_renderers_draw_the_same_picture_from_the_same_draws(fonts):
    difference = differences(CaptchaRecipe(), fonts, random_texts(300))
    # Rounding alone; the most was 0.94 in 6,000 images. Captchas of other draws differ by 20.
    assert difference.max() < 1
    assert difference.mean() < 0.45


def test_images_are_grey_and_of_the_size_of_the_recipe(fonts):
    images = FastRenderer(CaptchaRecipe(width=101, height=37), fonts, DIGITS).render(
        ["12", "345"], draws_of(["345"] * 2)
    )
    assert images.shape == (2, 37, 101) and images.dtype == np.uint8


def test_the_same_draws_draw_the_same_image_in_any_company(fonts):
    texts = random_texts(20, least=1, most=6)
    draws = draws_of(texts)
    renderer = FastRenderer(CaptchaRecipe(), fonts, DIGITS)
    images = renderer.render(texts, draws)
    for image, text, row in zip(images, texts, draws):
        np.testing.assert_array_equal(renderer.render([text], row[None])[0], image)
    np.testing.assert_array_equal(FastRenderer(CaptchaRecipe(), fonts, DIGITS).render(texts, draws), images)


def test_other_draws_and_texts_draw_other_images(fonts):
    renderer = FastRenderer(CaptchaRecipe(), fonts, DIGITS)
    images = [renderer.render(["0426", "0427"], draws_of(["0426"] * 2, seed)) for seed in range(20)]
    assert len({image.tobytes() for pair in images for image in pair}) == 40


def test_draws_that_a_text_does_not_need_do_not_matter(fonts):
    renderer = FastRenderer(CaptchaRecipe(word_space_probability=0.0), fonts, DIGITS)
    for text in "7", "0426", "012345678901":
        draws = np.full((1, num_draws(len(text)) + 50), np.nan)
        draws[:, : num_draws(len(text))] = draws_of([text])
        plenty, enough = renderer.render([text], draws), renderer.render([text], draws_of([text]))
        np.testing.assert_array_equal(plenty, enough)


def test_rows_of_draws_may_lie_in_a_wider_array(fonts):
    renderer = FastRenderer(CaptchaRecipe(), fonts, DIGITS)
    wide = np.random.default_rng(1).random((3, 400))
    np.testing.assert_array_equal(
        renderer.render(["0426"] * 3, wide[:, 5:]), renderer.render(["0426"] * 3, wide[:, 5:].copy())
    )


def test_dots_and_arcs_are_where_the_package_draws_them(fonts):
    recipe = CaptchaRecipe(lookup_table=(0,) * 256, bg_color=(255, 255, 255), fg_color=(0, 0, 0, 255))
    fast, package = both(recipe, fonts, ["1"] * 300)
    # A pixel may be missing at either end of an arc, which smoothing spreads over nine. None is ever added.
    assert (fast >= package).all()
    assert (fast != package).any((1, 2)).mean() < 0.4
    assert (fast != package).sum((1, 2)).max() <= 2 * 9
    assert np.abs(fast - package).mean() < 0.015


TEXT = "0⁄2Ǻ"
CASES = [
    ("width", 10),
    ("width", 77),
    ("width", 400),
    ("height", 10),
    ("height", 35),
    ("height", 200),
    ("font_sizes", (1,)),
    ("font_sizes", (12, 13)),
    ("font_sizes", (110,)),
    ("character_offset_dx", (0, 0)),
    ("character_offset_dx", (1, 30)),
    ("character_offset_dy", (0, 0)),
    ("character_offset_dy", (2, 40)),
    ("character_rotate", (0.0, 0.0)),
    ("character_rotate", (90.0, 90.0)),
    ("character_rotate", (-90.0, -90.0)),
    ("character_rotate", (180.0, 180.0)),
    ("character_rotate", (45.0, 45.0)),
    ("character_rotate", (-720.0, 720.0)),
    ("character_warp_dx", (0.0, 0.0)),
    ("character_warp_dx", (0.0, 3.0)),
    ("character_warp_dx", (-1.0, 0.5)),
    ("character_warp_dy", (0.0, 0.0)),
    ("character_warp_dy", (0.0, 3.0)),
    ("character_warp_dy", (-1.0, 0.5)),
    ("word_space_probability", 0.0),
    ("word_space_probability", 1.0),
    ("word_offset_dx", 0.0),
    ("word_offset_dx", 1.0),
    ("word_offset_dx", 3.0),
    ("lookup_table", (0, *[255] * 255)),
    ("lookup_table", (0, *[400 - 2 * luminance for luminance in range(1, 256)])),
    ("lookup_table", (0, *[luminance - 40 for luminance in range(1, 256)])),
    ("bg_color", (10, 200, 90)),
    ("fg_color", (200, 10, 90, 255)),
    ("fg_color", (200, 10, 90, 100)),
    ("fg_color", (200, 10, 90, 0)),
]


def test_every_parameter_has_a_case():
    assert {*(name for name, _ in CASES), "renderer"} == set(CaptchaRecipe.__struct_fields__)


@pytest.mark.parametrize("name, value", CASES)
def test_every_parameter_has_the_effect_that_it_has_in_the_package(fonts, name, value):
    recipe = msgspec.structs.replace(CaptchaRecipe(), **{name: value})
    texts = [TEXT] * 30
    fast, package = both(recipe, fonts, texts, TEXT)
    difference = np.abs(fast - package).mean((1, 2))
    assert difference.max() < 2 and difference.mean() < 0.8
    plain = FastRenderer(CaptchaRecipe(), fonts, TEXT).render(texts, draws_of(texts))
    assert fast.shape != plain.shape or (fast != plain).any()


@pytest.mark.parametrize("recipe", [CaptchaRecipe(), CaptchaRecipe(width=40), CaptchaRecipe(width=600)])
@pytest.mark.parametrize("length", [1, 2, 12])
def test_short_and_long_texts_agree(fonts, recipe, length):
    difference = differences(recipe, fonts, random_texts(30, least=length, most=length))
    assert difference.max() < 1.5 and difference.mean() < 0.6


def test_texts_of_several_lengths_share_a_call(fonts):
    assert differences(CaptchaRecipe(), fonts, ["1", "123456789012", "42"]).max() < 1


def test_characters_that_stick_out_of_their_box_are_clipped_alike(fonts):
    recipe = CaptchaRecipe(character_offset_dx=(0, 0), character_offset_dy=(0, 0))
    for font in fonts:
        box = ImageFont.truetype(str(font), 50).getbbox
        sticking_out = [character for character in "⁄j/YvìǺẤƒ" if min(box(character)[:2]) < 0]
        assert sticking_out
        for character in sticking_out:
            difference = differences(recipe, [font], [character * 3] * 20, character)
            assert difference.max() < 1.2 and difference.mean() < 0.6, (font.name, character)


@pytest.mark.parametrize("characters", ["abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", ".,:;-_'|!/()%@"])
def test_letters_and_signs_agree(fonts, characters):
    difference = differences(CaptchaRecipe(), fonts, random_texts(60, characters), characters)
    assert difference.max() < 1.3 and difference.mean() < 0.6


@pytest.mark.parametrize("characters", ["0042", "ab ba", " 7", "7 ", "aa"])
def test_a_space_and_characters_that_are_named_twice_are_drawn_right(fonts, characters):
    difference = differences(CaptchaRecipe(), fonts, [characters] * 20, characters)
    assert difference.max() < 1.2 and difference.mean() < 0.6


@pytest.mark.parametrize("opacity", [30, 80, 127, 128, 200])
def test_thin_ink_agrees(fonts, opacity):
    recipe = CaptchaRecipe(fg_color=(200, 10, 90, opacity))
    assert differences(recipe, fonts, random_texts(100)).max() < 1.4


def spans(low, high):
    return st.tuples(st.floats(low, high), st.floats(low, high))


def offsets():
    return st.tuples(st.integers(0, 8), st.integers(0, 8)).map(sorted).map(tuple)


RECIPES = st.builds(
    CaptchaRecipe,
    width=st.integers(20, 300),
    height=st.integers(20, 120),
    font_sizes=st.lists(st.integers(1, 80), min_size=1, max_size=2).map(tuple),
    character_offset_dx=offsets(),
    character_offset_dy=offsets(),
    character_rotate=st.one_of(
        st.sampled_from([0.0, 90.0, 180.0, 270.0, 360.0]).map(lambda angle: (angle, angle)),
        st.tuples(st.integers(-360, 360), st.integers(-360, 360)).map(lambda pair: (float(pair[0]), float(pair[1]))),
    ),
    character_warp_dx=spans(-1, 3),
    character_warp_dy=spans(-1, 3),
    word_space_probability=st.floats(0, 1),
    word_offset_dx=st.floats(0, 3),
    lookup_table=st.none() | st.floats(-4, 4).map(lambda slope: (0, *[int(slope * i + 128) for i in range(1, 256)])),
    bg_color=st.none() | st.tuples(*[st.integers(0, 255)] * 3),
    fg_color=st.none() | st.tuples(*[st.integers(0, 255)] * 3, st.integers(128, 255)),
)


@settings(max_examples=100)
@given(RECIPES, st.text("0123456789jfy", min_size=1, max_size=12), st.integers(0, 4), st.integers(0, 2**32))
def test_any_recipe_agrees(fonts, recipe, text, font, seed):
    # The most was 1.4 in random trials. Single pixels may differ by much: ink that is very faint has lost its colour.
    assert differences(recipe, [fonts[font]], [text] * 3, "0123456789jfy", seed).max() < 2.5
