"""Rendered words and lines as the network reads them."""

import numpy as np
import pytest

from ocr_lib.errors import OCRError
from ocr_lib.feed.plan import plan_fonts
from ocr_lib.feed.text_plan import plan_texts, with_characters
from ocr_lib.recipe.settings import load_preset, override
from tests.conftest import FONT_DIR
from tests.feed.test_texts import RUNNING

WORDS = "one\ntwo\nthree\nfour\n"


@pytest.fixture
def words(tmp_path):
    path = tmp_path / "words.txt"
    path.write_text(WORDS)
    return path


def word_recipe(path, *settings):
    sources = [{"kind": "words", "file": str(path)}]
    return override(load_preset("word"), [("text.sources", sources), *settings])


def test_a_plan_has_the_alphabet_of_its_texts(words):
    plan = plan_fonts(word_recipe(words), FONT_DIR, str)
    assert plan.recipe.text.alphabet == "efhnortuw"
    assert plan.description == f"texts of {words} in 5 fonts" and plan.fonts == {} and len(plan.data) == 64
    assert plan_fonts(word_recipe(words, ("text.alphabet", "ontw")), FONT_DIR).recipe.text.alphabet == "ontw"


def test_other_texts_or_fonts_have_another_digest(words, font):
    digests = {plan_fonts(word_recipe(words), fonts, str).data for fonts in (FONT_DIR, FONT_DIR, font)}
    words.write_text(WORDS + "five\n")
    assert len(digests) == 2 and plan_fonts(word_recipe(words), FONT_DIR, str).data not in digests


def test_batches_are_pure_functions_of_their_indices(words):
    source = plan_fonts(word_recipe(words), FONT_DIR, str).make_source()
    whole = source(("train", range(3, 9)))
    assert whole.images.shape == (6, 32, 100) and set(whole.texts) <= set(WORDS.split())
    parts = [plan_fonts(word_recipe(words), FONT_DIR, str).make_source()(("train", range(i, i + 2))) for i in (3, 5, 7)]
    assert np.array_equal(whole.images, np.concatenate([part.images for part in parts]))
    assert whole.texts == [text for part in parts for text in part.texts]
    assert not np.array_equal(source(("validation", range(3, 9))).images, whole.images)


def test_labels_are_written_as_the_recipe_says_and_drawn_in_any_case(words):
    plan = plan_fonts(word_recipe(words, ("text.case", "lower"), ("text.casing", 1.0)), FONT_DIR, str)
    batch = plan.make_source()(("train", range(40)))
    assert set(batch.texts) == set(WORDS.split())


def test_lines_of_a_batch_are_alike_in_length(tmp_path):
    path = tmp_path / "running.txt"
    path.write_text(RUNNING * 9)
    sources = [{"kind": "corpus", "file": str(path)}]
    recipe = override(load_preset("scan"), [("text.sources", sources)])
    source = plan_fonts(recipe, FONT_DIR, str).make_source()
    batches = [source(("train", range(start, start + 32))) for start in (0, 32, 64, 96)]
    waste = 1 - sum(b.widths.sum() for b in batches) / sum(b.images.shape[2] * len(b.widths) for b in batches)
    assert waste < 0.3 and len({b.images.shape[2] for b in batches}) == 4
    assert all(image[:, width:].min(initial=255) == 255 for b in batches for image, width in zip(b.images, b.widths))


def test_narrow_letters_get_the_time_steps_that_they_need(tmp_path):
    path = tmp_path / "narrow.txt"
    path.write_text("iiiiiiiiiiiiiiiiiiii lllll\n")
    sources = [{"kind": "corpus", "file": str(path)}]
    recipe = override(load_preset("scan"), [("text.sources", sources), ("text.min_length", 26)])
    recipe = override(recipe, [("rendering.letters.stretch", 0.9)])
    batch = plan_fonts(recipe, FONT_DIR / "BarlowCondensed-Medium.ttf", str).make_source()(("train", range(30)))
    needed = 4 * (26 + 19 + 4)  # a step every 4 pixels, one a character and one between equal neighbours
    assert batch.widths.min() >= needed


def test_words_that_no_font_has_or_that_lack_room_are_left_out(words, caplog):
    words.write_text(WORDS + "\u0416\u0416\n" + "o" * 20 + "\n")
    plan = plan_fonts(word_recipe(words), FONT_DIR / "BarlowCondensed-Medium.ttf", str)
    assert "left out" in caplog.text
    assert set(plan.make_source()(("train", range(60))).texts) <= set(WORDS.split())
    words.write_text("\u5b57\n")
    with pytest.raises(OCRError, match="no font that has any of the characters '\u5b57'"):
        plan_fonts(word_recipe(words), FONT_DIR, str)


def test_a_line_that_no_single_font_has_ends_earlier(subset_font, tmp_path):
    subset_font(tmp_path / "digits.ttf", "0123456789 ")
    subset_font(tmp_path / "letters.ttf", "abcdef ")
    path = tmp_path / "mixed.txt"
    path.write_text("abc 12 def 34 abc 56\n")
    sources = [{"kind": "corpus", "file": str(path)}]
    recipe = override(load_preset("scan"), [("text.sources", sources), ("text.punctuation", 0), ("text.casing", 0)])
    texts = plan_fonts(recipe, tmp_path, str).make_source()(("train", range(40))).texts
    assert set(texts) <= {"abc", "12", "def", "34", "56"}


def test_text_from_right_to_left_sets_the_direction_and_mirror_images(tmp_path):
    path = tmp_path / "hebrew.txt"
    path.write_text("\u05d0\u05d1(\u05d2\n")
    recipe = with_characters(word_recipe(path), str)
    assert recipe.text.direction == "rtl" and set(recipe.text.alphabet) == set("\u05d0\u05d1\u05d2()")


def test_colour(words):
    recipe = word_recipe(words, ("image.channels", 3))
    batch = plan_fonts(recipe, FONT_DIR, str).make_source()(("train", range(4)))
    assert batch.images.shape == (4, 96, 100)
    blue, _, red = np.split(batch.images.astype(int), 3, axis=1)
    assert np.abs(blue - red).mean() > 3


def test_captchas_of_words(words, font):
    recipe = override(load_preset("captcha"), [("text.sources", [{"kind": "words", "file": str(words)}])])
    batch = plan_fonts(recipe, font, str).make_source()(("train", range(30)))
    assert set(batch.texts) == {"one", "two", "four"}  # of 3 and 4 characters


def test_pictures_are_checked_first(words, tmp_path):
    with pytest.raises(OCRError, match="nowhere: no such folder"):
        plan_texts(word_recipe(words, ("rendering.ground.pictures", str(tmp_path / "nowhere"))), FONT_DIR)
