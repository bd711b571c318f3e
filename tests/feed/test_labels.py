"""What labels say about a run: direction, case, invisible characters, parts of a data set, class ids."""

import logging
import struct

import pytest

from ocr_lib.errors import OCRError
from ocr_lib.feed.data import DiskOptions, look
from ocr_lib.feed.plan import plan_disk, plan_fonts
from ocr_lib.sets.records import record_writer
from tests.toy import FONT, png, toy_recipe

PNG = png((8, 60))


def plan(folder, texts, settings=(), find_alphabet=True, **options):
    for number in range(len(texts)):
        (folder / f"{number}.png").write_bytes(png((8, 60), number))
    lines = (f"{number}.png\t{text}\n" for number, text in enumerate(texts))
    (folder / "labels.tsv").write_text("".join(lines), encoding="utf-8")
    disk = DiskOptions(folder, held_out=0.25, **options)
    return planned(disk, toy_recipe(*settings), find_alphabet)


def planned(disk, recipe, find_alphabet=True):
    seen = look(disk, recipe, None if find_alphabet else recipe.text.alphabet, num_workers=1)
    return plan_disk(recipe, seen, str if find_alphabet else None)


def trained_on(made):
    """Return the texts of the first epoch, sorted."""
    return sorted(made.make_source()(("train", range(made.recipe.training.epoch_size))).texts)


@pytest.fixture(autouse=True)
def said(monkeypatch, caplog):
    """What is logged; the commands stop the package's loggers from handing it on."""
    monkeypatch.setattr(logging.getLogger("ocr_lib"), "propagate", True)
    caplog.set_level(logging.INFO, "ocr_lib")
    return caplog


class TestDirection:
    def test_is_found_and_ids_are_in_the_order_of_the_image(self, tmp_path, said):
        made = plan(tmp_path, ["אב 12", "(ג)"] * 4)
        assert made.recipe.text.direction == "rtl"
        assert made.recipe.text.alphabet == " ()12אבג"
        assert made.recipe.alphabet.encode("אב 12") == [4, 5, 1, 7, 6]
        assert set(trained_on(made)) == {"אב 12", "(ג)"}
        assert "text.direction is rtl" in said.text

    def test_brackets_come_with_their_mirror_images(self, tmp_path):
        assert plan(tmp_path, ["א)"] * 4).recipe.text.alphabet == "()א"

    @pytest.mark.parametrize("texts, settings", [(["ab"], ()), (["אב"], [("text.direction", "ltr")])])
    def test_stays_as_it_is(self, tmp_path, texts, settings):
        made = plan(tmp_path, texts * 4, settings)
        assert made.recipe.text.writing.direction == "ltr"
        assert made.recipe.alphabet.encode(texts[0]) == [1, 2]

    def test_is_not_for_what_is_drawn(self):
        with pytest.raises(OCRError, match="text.direction rtl is that of labels"):
            plan_fonts(toy_recipe(("text.direction", "rtl")), FONT)


class TestCase:
    @pytest.mark.parametrize("case, alphabet", [("keep", "ABab"), ("lower", "ab"), ("upper", "AB")])
    def test_of_labels_and_their_alphabet(self, tmp_path, case, alphabet):
        made = plan(tmp_path, ["aB", "Ab", "AB", "ab"] * 8, [("text.case", case)])
        assert made.recipe.text.alphabet == alphabet
        assert set("".join(trained_on(made))) == set(alphabet)

    def test_of_an_alphabet_that_is_given(self, tmp_path):
        settings = [("text.case", "lower"), ("text.alphabet", "ABCabcd")]
        assert plan(tmp_path, ["aB"] * 4, settings, find_alphabet=False).recipe.text.alphabet == "abcd"

    def test_of_what_is_drawn(self):
        recipe = toy_recipe(("text.alphabet", "Aab"), ("text.case", "upper"))
        assert plan_fonts(recipe, FONT).recipe.text.alphabet == "AB"


class TestInvisible:
    texts = ("a\u200bb", "ab", "b\u00ada", "ba") * 4

    def test_are_named_if_they_are_kept(self, tmp_path, said):
        made = plan(tmp_path, self.texts)
        assert made.recipe.text.alphabet == "ab\u00ad\u200b"
        assert (
            "SOFT HYPHEN (U+00AD) in 4, ZERO WIDTH SPACE (U+200B) in 4: text.invisible=drop leaves them out"
            in said.text
        )
        assert "text.invisible=drop" in said.text

    def test_are_dropped_if_that_is_wanted(self, tmp_path, said):
        made = plan(tmp_path, self.texts, [("text.invisible", "drop")])
        assert made.recipe.text.alphabet == "ab" and set(trained_on(made)) == {"ab", "ba"}
        assert "ZERO WIDTH" not in said.text

    def test_a_label_of_which_nothing_is_left_is_left_out(self, tmp_path, said):
        made = plan(tmp_path, [*["ab"] * 8, "\u200b"], [("text.invisible", "drop")])
        assert made.recipe.training.epoch_size + made.recipe.training.validation_size == 8
        assert "8.png: nothing of the label is to be seen" in said.text


class TestParts:
    def parted(self, folder, parts):
        return plan(folder, [f"ab\t{part}" for part in parts])

    def test_train_is_trained_on(self, tmp_path):
        made = self.parted(tmp_path, ["train"] * 8 + ["test"] * 3)
        assert made.recipe.training.epoch_size + made.recipe.training.validation_size == 8

    def test_val_is_validated_on(self, tmp_path):
        self.parted(tmp_path, ["train"] * 8 + ["val"] * 3 + ["test"])
        options = DiskOptions(tmp_path, tmp_path)
        made = planned(options, toy_recipe())
        assert (made.recipe.training.epoch_size, made.recipe.training.validation_size) == (8, 3)

    @pytest.mark.parametrize("split, count", [("all", 12), ("test", 4)])
    def test_another_is_named(self, tmp_path, split, count):
        self.parted(tmp_path, ["train"] * 8 + ["test"] * 4)
        made = planned(DiskOptions(tmp_path, held_out=0.25, split=split), toy_recipe())
        assert made.recipe.training.epoch_size + made.recipe.training.validation_size == count


def test_class_ids_are_mapped_by_the_alphabet_that_is_given(tmp_path):
    path = tmp_path / "a.rec"
    with record_writer(path) as write:
        for first in range(8):
            write(struct.pack("<IfQQ2f", 2, 0, 0, 0, 1 + first % 3, 3) + PNG)
    options = DiskOptions(path, held_out=0.25)
    made = planned(options, toy_recipe(("text.alphabet", "abc")), find_alphabet=False)
    assert set(trained_on(made)) <= {"ac", "bc", "cc"}
    with pytest.raises(OCRError, match="class ids from 1 to 3"):
        planned(options, toy_recipe())
