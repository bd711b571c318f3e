"""The captcha package, drawn from given numbers through one seam."""

import secrets
from concurrent.futures import ThreadPoolExecutor

import captcha.image
import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocr_lib.cv import cv2
from ocr_lib.draw.captcha import CaptchaRenderer, UniformDraws, num_draws
from ocr_lib.draw.fonts import find_fonts
from ocr_lib.recipe.captcha import CaptchaRecipe


def draws_of(seed, length=4):
    return np.random.default_rng(seed).random(num_draws(length))


def grey(renderer, text, seed):
    (image,) = renderer.render([text], draws_of(seed, len(text))[None])
    return image


@pytest.fixture(scope="module")
def fonts(font_dir):
    return find_fonts(font_dir, "0123456789", (42,))


@pytest.fixture(scope="module")
def renderer(fonts):
    return CaptchaRenderer(CaptchaRecipe(), fonts)


def test_the_same_draws_draw_the_same_image(renderer, fonts):
    image = grey(renderer, "0426", 5)
    assert image.shape == (60, 160) and image.dtype == np.uint8
    grey(renderer, "999", 6)
    np.testing.assert_array_equal(grey(renderer, "0426", 5), image)
    np.testing.assert_array_equal(grey(CaptchaRenderer(CaptchaRecipe(), fonts), "0426", 5), image)


def test_a_text_is_drawn_alike_in_any_company(renderer):
    texts, draws = ["0426", "1", "999"], np.stack([draws_of(seed) for seed in range(3)])
    images = renderer.render(texts, draws)
    assert images.shape == (3, 60, 160) and images.dtype == np.uint8
    for image, text, row in zip(images, texts, draws):
        np.testing.assert_array_equal(renderer.render([text], row[None])[0], image)


def test_other_draws_and_texts_draw_other_images(renderer):
    images = {grey(renderer, text, seed).tobytes() for seed in range(20) for text in ("0426", "0427")}
    assert len(images) == 40


def test_is_dark_text_on_light_paper(renderer):
    for seed in range(20):
        image = grey(renderer, "0426", seed)
        assert np.median(image) > 200 and image.min() < 200


def test_colour_and_grey_are_the_same_picture(renderer):
    colour = np.asarray(renderer.draw("0426", draws_of(1)))
    assert colour.shape == (60, 160, 3)
    luminance = colour @ [0.299, 0.587, 0.114]
    np.testing.assert_allclose(grey(renderer, "0426", 1), luminance, rtol=0, atol=1)


def test_the_seam_is_closed_again(renderer):
    renderer.draw("12", draws_of(0))
    assert captcha.image.secrets is secrets
    with pytest.raises(ZeroDivisionError):
        renderer.draw("", draws_of(0))
    assert captcha.image.secrets is secrets
    package = captcha.image.ImageCaptcha()
    assert package.generate_image("12").tobytes() != package.generate_image("12").tobytes()


def test_threads_do_not_disturb_each_other(renderer):
    expected = [renderer.draw("0426", draws_of(seed)).tobytes() for seed in range(24)]
    with ThreadPoolExecutor(4) as pool:
        drawn = pool.map(lambda seed: renderer.draw("0426", draws_of(seed)).tobytes(), range(24))
        assert list(drawn) == expected


@given(st.integers(0, 2**32), st.integers(1, 2**40), st.integers(1, 53))
def test_draws_stay_in_their_bounds(seed, bound, bits):
    draws = UniformDraws(np.random.default_rng(seed).random(60))
    items = range(min(bound, 1000))
    for _ in range(20):
        assert 0 <= draws.randbelow(bound) < bound
        assert 0 <= draws.randbits(bits) < 2**bits
        assert draws.choice(items) in items


@pytest.mark.parametrize("bound", [1, 2, 3, 7, 160, 2**32, 2**40])
def test_the_ends_of_the_interval_are_the_ends_of_the_range(bound):
    lowest, highest = UniformDraws(np.zeros(1)), UniformDraws(np.full(2, np.nextafter(1, 0)))
    assert lowest.randbelow(bound) == 0
    assert highest.randbelow(bound) == bound - 1
    assert highest.choice("abc") == "c"


def chi_square(values, size):
    counts = np.bincount(values, minlength=size)
    expected = len(values) / size
    return ((counts - expected) ** 2 / expected).sum()


def test_draws_are_uniform_and_independent():
    draws = UniformDraws(np.random.default_rng(7).random(80000))
    values = np.array([draws.randbelow(10) for _ in range(20000)])
    assert chi_square(values, 10) < 33.7  # 9 degrees of freedom, 1 in 10,000
    assert chi_square(values[:-1] * 10 + values[1:], 100) < 160  # 99 degrees, likewise
    assert chi_square(np.array([draws.randbits(4) for _ in range(20000)]), 16) < 44.3  # 15
    assert chi_square(np.array([draws.choice([2, 0, 1]) for _ in range(20000)]), 3) < 18.5  # 2


def statistics(images):
    images = images.astype(np.float64)
    ink = 255 - images
    columns = ink.sum(1)
    return {
        "mean": images.mean((1, 2)),
        "standard deviation": images.std((1, 2)),
        "paper": images.max((1, 2)),
        "darkest": images.min((1, 2)),
        "centre of the ink": (columns * np.arange(columns.shape[1])).sum(1) / columns.sum(1),
        "inked columns": (images.min(1) < 200).mean(1),
    }


def test_images_are_distributed_as_the_packages_own(renderer, fonts):
    # The package draws its half from the system, so the two means of each statistic differ by chance: by more than
    # 5 standard errors once in 1.7 million runs, for each of the 6.
    count = 300
    package = captcha.image.ImageCaptcha(160, 60, [str(font) for font in fonts])
    own = [np.asarray(package.generate_image("0426")) for _ in range(count)]
    theirs = statistics(np.stack([cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in own]))
    ours = statistics(np.stack([grey(renderer, "0426", seed) for seed in range(count)]))
    for name, mine in ours.items():
        difference = mine.mean() - theirs[name].mean()
        standard_error = np.sqrt((mine.var() + theirs[name].var()) / count)
        assert abs(difference) < 5 * standard_error, name
        assert 0.7 < mine.std() / theirs[name].std() < 1.4, name


CHANGED = {
    "width": 200,
    "height": 90,
    "font_sizes": (30,),
    "character_offset_dx": (0, 0),
    "character_offset_dy": (0, 0),
    "character_rotate": (-5.0, 5.0),
    "character_warp_dx": (0.0, 0.05),
    "character_warp_dy": (0.0, 0.9),
    "word_space_probability": 1.0,
    "word_offset_dx": 0.9,
    "lookup_table": tuple(range(256)),
    "bg_color": (200, 250, 230),
    "fg_color": (90, 60, 120, 255),
}


def test_every_parameter_has_a_test():
    assert {*CHANGED, "renderer"} == set(CaptchaRecipe.__struct_fields__)


@pytest.mark.parametrize("name", CHANGED)
def test_every_parameter_has_an_effect(renderer, fonts, name):
    changed = CaptchaRenderer(msgspec.structs.replace(CaptchaRecipe(), **{name: CHANGED[name]}), fonts)
    # The offsets only matter to characters that stick out of their box.
    images = [grey(changed, "0⁄2Ǻ", seed) for seed in range(8)]
    plain = [grey(renderer, "0⁄2Ǻ", seed) for seed in range(8)]
    assert not all(np.array_equal(*pair) for pair in zip(images, plain))


def test_size_of_the_image(fonts):
    assert grey(CaptchaRenderer(CaptchaRecipe(width=101, height=37), fonts), "1", 0).shape == (37, 101)


def test_given_colours_are_those_of_paper_and_ink(fonts):
    renderer = CaptchaRenderer(CaptchaRecipe(bg_color=(250, 10, 30), fg_color=(0, 200, 100, 255)), fonts)
    colours = np.asarray(renderer.draw("0426", draws_of(1))).reshape(-1, 3).tolist()
    assert [250, 10, 30] in colours and [0, 200, 100] in colours


def test_smaller_fonts_leave_more_paper(renderer, fonts):
    small = CaptchaRenderer(CaptchaRecipe(font_sizes=(16,)), fonts)
    ink = [np.mean([255 - grey(r, "0426", seed).mean() for seed in range(10)]) for r in (small, renderer)]
    assert ink[0] < 0.7 * ink[1]


def test_every_font_takes_part(fonts):
    alone = [CaptchaRenderer(CaptchaRecipe(font_sizes=(42,)), [font]) for font in fonts]
    together = CaptchaRenderer(CaptchaRecipe(font_sizes=(42,)), fonts)
    used = set()
    for seed in range(100):
        image = grey(together, "8", seed).tobytes()
        used |= {number for number, one in enumerate(alone) if grey(one, "8", seed).tobytes() == image}
    assert used == set(range(len(fonts)))


@settings(max_examples=60)
@given(
    st.builds(
        CaptchaRecipe,
        width=st.integers(10, 200),
        height=st.integers(10, 90),
        font_sizes=st.lists(st.integers(1, 60), min_size=1, max_size=3).map(tuple),
        character_offset_dx=st.tuples(st.integers(0, 5), st.integers(5, 9)),
        character_offset_dy=st.tuples(st.integers(0, 5), st.integers(5, 9)),
        character_rotate=st.tuples(st.floats(-360, 360), st.floats(-360, 360)),
        character_warp_dx=st.tuples(st.floats(-1, 1), st.floats(-1, 1)),
        character_warp_dy=st.tuples(st.floats(-1, 1), st.floats(-1, 1)),
        word_space_probability=st.floats(0, 1),
        word_offset_dx=st.floats(0, 3),
    ),
    st.text("0123456789 ", min_size=1, max_size=8),
    st.integers(0, 2**32),
)
def test_any_recipe_draws_from_as_many_numbers_as_are_stated(fonts, recipe, text, seed):
    assert grey(CaptchaRenderer(recipe, fonts), text, seed).shape == (recipe.height, recipe.width)


@pytest.mark.parametrize("length", [1, 4, 12])
def test_a_space_before_every_character_takes_all_the_numbers(fonts, length):
    renderer = CaptchaRenderer(CaptchaRecipe(word_space_probability=0.0), fonts)
    draws = draws_of(0, length)
    renderer.draw("7" * length, draws)
    with pytest.raises((StopIteration, RuntimeError)):
        renderer.draw("7" * length, draws[:-1])
