"""Recipes found from what is known of samples."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocr_lib.geometry import shrunk
from ocr_lib.recipe.auto import Facts, find_recipe
from ocr_lib.recipe.recipe import Recipe
from ocr_lib.recipe.settings import decode_json, encode_json, load_preset, override
from ocr_lib.zoo.recipes import model_recipe

WIDTHS = np.linspace(900, 2700, 900).astype(int)


def facts(count, height, width, length, words=1, hidden=0.0, uneven=0.1, top=0.0, bottom=0.0, characters="абв"):
    """Return the facts of samples that are all alike, or differ as arrays say."""
    values = (height, width, length, words, 50.0, hidden, uneven, top, bottom)
    return Facts(*(np.broadcast_to(each, count) for each in values), characters)


def found(*args, **more):
    """Return the recipe of a network that begins with nothing."""
    return find_recipe(facts(*args, **more), may_begin=False).recipe


def trained(alphabet, height):
    """Return the recipe of a network of one's own."""
    return override(load_preset("captcha"), {"text.alphabet": alphabet, "image.height": height})


@pytest.mark.parametrize(
    "height, width, length, size",
    [
        (50, 200, 5, (200, 48)),  # as they are
        (24, 72, 4, (72, 24)),
        (80, 200, 5, (172, 72)),  # 2,400 pixels a character
        (360, 640, 4, (132, 72)),
        (8, 40, 3, (80, 16)),  # no lower than 16
        (20, 20, 1, (20, 16)),
        (16, 16, 12, (25, 16)),  # a time step for each character and between any two
        (8, 1, 1, (9, 16)),  # and for the texts of the preset
    ],
)
def test_size_of_images_of_one_shape(height, width, length, size):
    recipe = found(900, height, width, length)
    assert recipe.image.size == size
    assert recipe.time_steps >= 2 * length + 1
    assert recipe.image.channels == 1 and recipe.image.rotate == 0


def test_images_of_several_shapes_have_any_width():
    recipe = found(400, 48, np.linspace(300, 2000, 400).astype(int), np.linspace(8, 60, 400).astype(int))
    lines = load_preset("text-line")
    assert recipe.image.size == (None, 32)
    assert (recipe.network, recipe.augmentation) == (lines.network, lines.augmentation)


@pytest.mark.parametrize("words", [3, np.where(np.arange(500) % 3, 2, 1)])
def test_several_words_are_lines_though_all_images_have_one_shape(words):
    assert found(500, 40, 600, 20, words).image.size == (None, 32)
    assert found(500, 40, 600, 20, np.where(np.arange(500) % 3, 1, 2)).image.width is not None


def test_images_that_differ_little_have_one_shape():
    assert found(100, 50, np.linspace(190, 210, 100).astype(int), 5).image.size == (200, 48)


def test_upright_images_are_turned():
    recipe = found(500, 200, 50, 6)
    assert recipe.image.rotate == 90 and recipe.image.size == (200, 48)
    assert found(500, 50, 30, 1).image.rotate == 0  # single characters are no lines


@pytest.mark.parametrize("hidden, channels", [(0, 1), (20, 1), (30, 3)])
def test_colour_is_read_where_grey_hides_contrast(hidden, channels):
    assert found(500, 50, 200, 5, hidden=hidden).image.channels == channels


@pytest.mark.parametrize("uneven, ground", [(0.05, "keep"), (0.3, "keep"), (1.2, "subtract")])
def test_ground_that_differs_more_than_ink_is_subtracted(uneven, ground):
    image = found(500, 50, 200, 5, hidden=60, uneven=uneven).image
    assert (image.ground, image.channels) == (ground, 3 if ground == "keep" else 1)
    widths = np.linspace(300, 2000, 500).astype(int)
    assert found(500, 48, widths, 5, uneven=uneven).image.ground == "keep"  # photographs of words, say


def test_what_is_empty_in_nearly_all_images_is_cut_off():
    bands = found(900, 360, 640, 4, top=0.25, bottom=0.3)
    assert bands.image.crop == (0.25, 0.3)
    assert bands.image.size == found(900, 162, 640, 4).image.size  # more pixels are left for the text
    assert found(900, 360, 640, 4, top=0.1, bottom=0.1).image.crop == (0, 0)  # not worth it
    assert found(900, 640, 100, 4, top=0.25, bottom=0.3).image.crop == (0, 0)  # upright: these are its sides


def test_less_is_cut_off_where_images_differ():
    some = np.linspace(0.2, 0.3, 900)
    top, bottom = found(900, 360, 640, 4, top=some, bottom=0.3).image.crop
    assert 0.1 < top < 0.2 and bottom == 0.3
    rare = np.where(np.arange(900) == 7, 0.0, 0.3)
    assert found(900, 360, 640, 4, top=rare, bottom=0.3).image.crop == (0.3, 0.3)


def test_few_samples_are_seen_more_often_and_in_smaller_batches():
    sizes = [found(count, 50, 200, 5).training for count in (100, 850, 10_000, 1_000_000)]
    assert [each.batch_size for each in sizes] == [8, 16, 32, 32]
    assert [each.epochs for each in sizes] == [400, 174, 51, 5]
    assert [each.learning_rate for each in sizes] == pytest.approx([0.001, 0.002, 0.004, 0.004])


BOUNDS = [(1, 3000), (1, 3000), (1, 90), (1, 9)], [(0, 120), (0, 120)], [(0, 300), (0, 49), (0, 49)]


@settings(max_examples=60)
@given(
    st.integers(1, 30),
    st.data(),
)
def test_any_samples_have_a_recipe_whose_steps_suffice_and_that_is_plain_values(count, data):
    def drawn(least, most):
        return np.array(data.draw(st.lists(st.integers(least, most), min_size=count, max_size=count)))

    sizes, contrasts, grounds = ([drawn(*bounds) for bounds in several] for several in BOUNDS)
    seen = Facts(*sizes, *contrasts, *(each / 100 for each in grounds), data.draw(st.text(min_size=1)))
    recipe, _, *reasons = find_recipe(seen)
    assert recipe == find_recipe(seen).recipe
    assert decode_json(encode_json(recipe), Recipe, "recipe") == recipe
    if recipe.image.width:
        assert recipe.time_steps >= np.sort(seen.lengths)[-2:][0]
    assert all("\n" not in line for lines in reasons for line in lines)


def test_time_steps_are_as_far_apart_as_labels_allow():
    strides = [
        math.prod(each.pool[0] for each in found(900, 50, 200, length).network.convolutions) for length in (5, 15, 30)
    ]
    assert strides == [4, 2, 1]
    recipe = found(900, 50, 200, 15)
    assert recipe.time_steps == shrunk(200, recipe.network.shrinkage(0)) == 100


def test_reasons_say_what_was_chosen_and_why():
    seen = find_recipe(facts(842, 70, 200, 5, hidden=60), may_begin=False)
    assert seen.of_images == [
        "images 184 wide and 64 high: most are 2.9 to 2.9 times as wide as high",
        "in colour, since it shows what grey hides; a time step every 4 pixels, 46 in most images, for texts of up to "
        "5 characters",
    ]
    cut = find_recipe(facts(842, 70, 200, 5, uneven=1, top=0.2, bottom=0.3), may_begin=False)
    assert cut.of_images[0] == "20% cut off at the top and 30% at the bottom, where nothing is"
    assert "as contrast to the ground around, which differs more than ink does from it; a time" in cut.of_images[2]
    assert seen.of_training == ["174 epochs in batches of 16, since there are 842 images to train on"]


class TestModel:
    """Networks begin with trained ones."""

    @pytest.mark.parametrize("characters", ["0123456789", "abcXYZ9", "O0lI1", "abcdefghijklmnopqrstuvwxyz-"])
    def test_of_letters_and_digits(self, characters):
        begun = find_recipe(facts(900, 24, 72, 4, characters=characters))
        assert begun.model == "captcha-distorted"
        assert begun.recipe.network == model_recipe(begun.model).network.folded()

    @pytest.mark.parametrize("width", [200, WIDTHS])
    def test_is_trained_with_care_if_it_knows_the_characters(self, width):
        known, unknown = (find_recipe(facts(900, 50, width, 5, characters=each)) for each in ("abc", "абв"))
        fresh = found(900, 50, width, 5)
        assert known.model == unknown.model is not None
        assert 0 < known.recipe.training.learning_rate < fresh.training.learning_rate
        assert known.recipe.training.epochs < fresh.training.epochs
        assert unknown.recipe.training.learning_rate == fresh.training.learning_rate
        assert known.recipe.training.epochs <= unknown.recipe.training.epochs <= fresh.training.epochs
        assert known.of_images[-1] == f"the network {known.model} to begin with, which knows most of the characters"
        assert unknown.of_images[-1].endswith("which knows what letters are like, though most characters are new")

    @pytest.mark.parametrize(
        "height, width, size", [(24, 72, (96, 32)), (50, 200, (200, 48)), (80, 200, (124, 48)), (360, 640, (88, 48))]
    )
    def test_letters_have_about_the_size_that_it_knows(self, height, width, size):
        assert find_recipe(facts(900, height, width, 5, characters="abc")).recipe.image.size == size

    @pytest.mark.parametrize(
        "height, width, length, characters",
        [
            (50, np.linspace(300, 900, 900).astype(int), 90, "abc "),  # of any width
            (32, 200, 30, "abc"),  # too few time steps
        ],
    )
    def test_others_begin_with_nothing(self, height, width, length, characters):
        assert find_recipe(facts(900, height, width, length, characters=characters)).model is None

    @pytest.mark.parametrize(
        "aspect, length, words, characters, model, size",
        [
            (5.5, 20, 1, "abcXYZ019", "words", (100, 32)),
            (5.5, 20, 1, "абвгд", "words", (100, 32)),
            (5.5, 20, 1 + (np.arange(900) == 7), "abcXYZ019 ", "words", (100, 32)),  # a space by mistake
            (5.5, 21, 1, "abcXYZ019", "printed-lines", (None, 32)),  # longer than what that knows
            (5.5, 5, 2, "abcXYZ019 ", "printed-lines", (None, 32)),
            (6.5, 20, 1, "abcXYZ019", "printed-lines", (None, 32)),  # they would be squeezed
        ],
    )
    def test_of_any_width_is_that_of_words_or_that_of_lines(self, aspect, length, words, characters, model, size):
        widths = np.where(np.arange(900) % 4, 40 * aspect, 40 * 8).astype(int)
        begun = find_recipe(facts(900, 40, widths, length, words, characters=characters))
        assert (begun.model, begun.recipe.image.size) == (model, size)
        assert begun.recipe.network == model_recipe(model).network.folded()
        assert begun.recipe.augmentation == load_preset("text-line").augmentation

    @pytest.mark.parametrize("model, widths", [("printed-lines", WIDTHS), ("words", np.linspace(100, 250, 900))])
    def test_of_any_width_goes_on_reading_characters_that_few_labels_lack(self, model, widths):
        alphabet = model_recipe(model).text.alphabet
        most = -(-2 * len(alphabet) // 3)
        begun = find_recipe(facts(900, 50, widths.astype(int), 5, characters=f"{alphabet[:most]}é"))
        assert (begun.model, begun.kept) == (model, alphabet[most:])
        assert begun.of_images[-1].startswith(f"{begun.kept} are read as well")
        fewer = find_recipe(facts(900, 50, widths.astype(int), 5, characters=alphabet[: most - 1]))
        assert fewer.model == model and not fewer.kept

    def test_of_captchas_reads_the_characters_of_labels_alone(self):
        begun = find_recipe(facts(900, 50, 200, 5, characters=model_recipe("captcha-distorted").text.alphabet[1:]))
        assert begun.model and not begun.kept

    @pytest.mark.parametrize("width", [200, WIDTHS])
    def test_may_be_left_out(self, width):
        samples = facts(900, 50, width, 5, characters="abc")
        fresh = find_recipe(samples, may_begin=False)
        assert fresh.model is None
        assert fresh == find_recipe(facts(900, 50, width, 5), may_begin=False)  # whatever the characters

    @pytest.mark.parametrize("width", [200, WIDTHS])
    def test_a_trained_network_of_ones_own_is_trained_like_one(self, width):
        samples = facts(900, 50, width, 5, characters="abc")
        begun, own = find_recipe(samples), find_recipe(samples, trained=trained("abc", 20))
        assert own.model is None
        assert own.recipe.training == begun.recipe.training
        new = find_recipe(facts(900, 50, width, 5), trained=trained("abc", 20))
        assert new.recipe.training == find_recipe(facts(900, 50, width, 5)).recipe.training
        assert new.recipe.training.learning_rate > own.recipe.training.learning_rate

    def test_knows_more_than_nothing_of_letters_that_lie_on_their_side(self):
        begun = find_recipe(facts(900, 200, 50, 6, characters="abc"))
        assert (begun.model, begun.recipe.image.rotate) == ("captcha-distorted", 90)
        assert begun.recipe.image.size == (200, 48)

    def test_of_ones_own_sees_changes_of_the_size_of_its_images(self):
        samples = facts(900, 50, 200, 5, characters="abc")
        small, large = (find_recipe(samples, trained=trained("abc", each)).recipe.augmentation for each in (20, 40))
        assert (large.shift, large.elastic) == pytest.approx((2 * small.shift, 2 * small.elastic))

    def test_takes_fewer_epochs_and_more_augmentation(self):
        begun, fresh = find_recipe(facts(900, 50, 200, 5, characters="abc")).recipe, found(900, 50, 200, 5)
        assert begun.training.epochs < fresh.training.epochs
        assert begun.augmentation.elastic > fresh.augmentation.elastic


def test_a_label_out_of_the_ordinary_does_not_widen_images():
    lengths = np.array([5] * 99 + [300])
    assert found(100, 50, 200, lengths) == found(100, 50, 200, 5)
