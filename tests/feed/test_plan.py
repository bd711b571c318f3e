"""What a run is trained on: alphabet, lengths and sizes of data on disk, and what of it is left out."""

import logging
import pickle

import numpy as np
import pytest

from ocr_lib.errors import OCRError
from ocr_lib.feed.data import DiskOptions, look
from ocr_lib.feed.disk import DiskSource
from ocr_lib.feed.plan import plan_disk, plan_fonts
from ocr_lib.feed.source import CaptchaSource
from ocr_lib.files import sha256
from tests.toy import FONT, png, toy_recipe

COUNT = 20
PNG = png((8, 30))
TEXTS = [("b" * (1 + index % 3) + "ca"[index % 2]) for index in range(COUNT)]


def write(folder, texts, first=0):
    folder.mkdir(exist_ok=True)
    for index in range(len(texts)):
        (folder / f"{first + index}.png").write_bytes(png((8, 30), index))
    lines = (f"{first + index}.png\t{text}\n" for index, text in enumerate(texts))
    (folder / "labels.tsv").write_text("".join(lines))
    return folder


def plan(train, validation=None, held_out=0.25, max_problems=0.1, find_alphabet=True, settings=()):
    options = DiskOptions(train, validation, None, held_out, max_problems)
    recipe = toy_recipe(*settings)
    seen = look(options, recipe, None if find_alphabet else recipe.text.alphabet, num_workers=1)
    return plan_disk(recipe, seen, str if find_alphabet else None)


@pytest.fixture
def said(monkeypatch, caplog):
    """What is logged, but for what samples are like; the commands stop the package's loggers from handing it on."""
    monkeypatch.setattr(logging.getLogger("ocr_lib"), "propagate", True)
    caplog.set_level(logging.INFO, "ocr_lib")
    loggers = ("ocr_lib.feed.plan", "ocr_lib.sets.dataset")
    return lambda: [record.getMessage() for record in caplog.records if record.name in loggers]


class TestFonts:
    def test_leave_the_recipe_as_it_is(self):
        recipe = toy_recipe()
        made = plan_fonts(recipe, FONT)
        assert made.recipe == recipe and made.data == "" and made.source == FONT
        assert made.fonts == {FONT.name: sha256(FONT)}
        assert isinstance(made.make_source(), CaptchaSource)
        assert made.description == "fonts: Ubuntu-M"

    @pytest.mark.parametrize(
        "width, longest, steps",
        [(40, 5, 10), (None, 3, 5)],  # a captcha of 80 by 60 is 21 pixels wide at a height of 16
    )
    def test_the_longest_text_fits_in_its_worst_case(self, width, longest, steps):
        def planned(max_length):
            return plan_fonts(toy_recipe(("image.width", width), ("text.max_length", max_length)), FONT)

        assert planned(longest).recipe.text.max_length == longest
        needed = 2 * longest + 1
        message = (
            f"^recipe: {longest + 1} times '0' in a row needs {needed} time steps .*, and the network gives {steps}: "
        )
        with pytest.raises(
            OCRError, match=f"{message}raise image.width .captcha.width, .*, or lower text.max_length"
        ) as refused:
            planned(longest + 1)
        assert "\n" not in str(refused.value)

    def test_the_characters_are_told_in_a_recipe_of_one_length(self):
        with pytest.raises(OCRError, match="6 times '7' in a row needs 11 time steps"):
            plan_fonts(toy_recipe(("text.alphabet", "70"), ("text.min_length", 6), ("text.max_length", 6)), FONT)

    def test_are_grey(self):
        with pytest.raises(OCRError, match=r"^captchas are drawn in grey, and image.channels is 3: leave it at 1$"):
            plan_fonts(toy_recipe(("image.channels", 3)), FONT)


class TestDisk:
    @pytest.fixture
    def folder(self, tmp_path):
        return write(tmp_path / "set", TEXTS)

    def test_alphabet_lengths_and_sizes_go_into_the_recipe(self, folder, said):
        made = plan(folder)
        text, training = made.recipe.text, made.recipe.training
        assert (text.alphabet, text.min_length, text.max_length) == ("abc", 2, 4)
        assert (training.epoch_size, training.validation_size) == (15, 5)
        assert made.fonts == {} and made.source == folder and said() == []
        assert str(folder) in made.description and "15 samples" in made.description and "5 to" in made.description
        untouched = toy_recipe()
        assert (made.recipe.image, made.recipe.network) == (untouched.image, untouched.network)

    def test_the_source_has_all_samples(self, folder):
        made = plan(folder)
        source = pickle.loads(pickle.dumps(made.make_source))()  # noqa: S301
        assert isinstance(source, DiskSource) and made.modules == ["ocr_lib.feed.disk"]
        texts = source(("train", range(15))).texts + source(("validation", range(5))).texts
        assert sorted(texts) == sorted(TEXTS)

    def test_workers_make_its_batches(self, folder):
        made = plan(folder)
        tasks = [("train", range(8)), ("validation", range(5)), ("train", range(8, 15))]
        source = made.make_source()
        with made.start_workers(2) as pool:
            for batch, task in zip(pool.map(tasks), tasks):
                assert batch.texts == source(task).texts
                np.testing.assert_array_equal(batch.images, source(task).images)

    def test_the_seed_holds_out_others(self, folder):
        digests = [plan(folder, settings=[("seed", seed)]).data for seed in (0, 0, 1)]
        assert digests[0] == digests[1] != digests[2]

    def test_a_share_that_leaves_nothing(self, folder):
        with pytest.raises(OCRError, match=r"--val-data"):
            plan(folder, held_out=0.01)

    def test_validation_data_apart(self, folder, tmp_path):
        other = write(tmp_path / "other", ["c", "abcab"])
        made = plan(folder, other)
        text, training = made.recipe.text, made.recipe.training
        assert (text.alphabet, text.min_length, text.max_length) == ("abc", 1, 5)
        assert (training.epoch_size, training.validation_size) == (COUNT, 2)
        assert made.make_source()(("validation", range(2))).texts == ["c", "abcab"]

    def test_data_that_is_not_there(self, folder, tmp_path):
        for arguments in (tmp_path / "none", None), (folder, tmp_path / "none"):
            with pytest.raises(OCRError, match=f"^{tmp_path}/none: no such file or folder"):
                plan(*arguments)


class TestAlphabet:
    def test_is_sorted_by_code_point(self, tmp_path):
        assert plan(write(tmp_path / "set", ["é a", "Zb€", "9é", "aa"] * 5)).recipe.text.alphabet == " 9Zabé€"

    def test_of_the_recipe_is_kept(self, tmp_path):
        folder = write(tmp_path / "set", TEXTS)
        made = plan(folder, find_alphabet=False, settings=[("text.alphabet", "xcba")])
        assert made.recipe.text.alphabet == "xcba"

    def test_of_the_recipe_lacks_characters_of_labels(self, tmp_path):
        folder = write(tmp_path / "set", TEXTS)
        with pytest.raises(OCRError, match=f"^{folder}: labels have 'a', 'c', which the alphabet lacks$"):
            plan(folder, find_alphabet=False, settings=[("text.alphabet", "b")])

    def test_characters_that_only_validation_has(self, tmp_path, said):
        folder, other = write(tmp_path / "set", TEXTS), write(tmp_path / "other", ["aé", "b", "X"])
        made = plan(folder, other)
        assert made.recipe.text.alphabet == "abc"
        assert said() == ["Only validation labels have 'X', 'é': these will count as errors"]
        assert made.make_source()(("validation", range(3))).texts == ["aé", "b", "X"]


class TestLeftOut:
    def test_are_named(self, tmp_path, said):
        folder = write(tmp_path / "set", TEXTS)
        (folder / "3.png").write_bytes(PNG[:40])
        made = plan(folder, max_problems=0.3)
        training = made.recipe.training
        assert training.epoch_size + training.validation_size == COUNT - 1
        (warning,) = said()
        assert warning.startswith(f"Left out: {folder}/labels.tsv:4: 3.png: ")
        source = made.make_source()
        source(("train", range(training.epoch_size)))
        source(("validation", range(training.validation_size)))

    def test_what_its_list_lacks_is_named_too(self, tmp_path, said):
        folder = write(tmp_path / "set", TEXTS)
        with (folder / "labels.tsv").open("a") as file:
            file.write("absent.png\tab\n")
        plan(folder)
        assert said() == [f"Left out: {folder}/labels.tsv:{COUNT + 1}: no image absent.png"]

    def test_only_the_first_of_many_are_named(self, tmp_path, said):
        folder, other = write(tmp_path / "set", TEXTS), write(tmp_path / "other", ["a"])
        for index in range(8):
            (folder / f"{index}.png").write_bytes(b"")
        assert plan(folder, other, max_problems=0.4).recipe.training.epoch_size == 12
        assert [f": {index}.png: " in line for index, line in enumerate(said())] == [True] * 5 + [False]
        assert said()[-1] == "Left out: 3 others"

    def test_in_validation_data(self, tmp_path, said):
        folder, other = write(tmp_path / "set", TEXTS), write(tmp_path / "other", ["a", "b"])
        (other / "0.png").write_bytes(b"")
        made = plan(folder, other, max_problems=0.5)
        assert (made.recipe.training.epoch_size, made.recipe.training.validation_size) == (COUNT, 1)
        assert made.make_source()(("validation", range(1))).texts == ["b"]
        assert said() and str(other) in said()[0]

    @pytest.mark.parametrize("count, max_problems", [(3, 0.1), (1, 0.0), (COUNT, 1.0)])
    def test_too_many(self, tmp_path, count, max_problems):
        folder, other = write(tmp_path / "set", TEXTS), write(tmp_path / "other", ["a"])
        for index in range(count):
            (folder / f"{index}.png").write_bytes(b"")
        with pytest.raises(OCRError) as stopped:
            plan(folder, other, max_problems=max_problems)
        message = str(stopped.value)
        assert message.startswith(
            f"{count} of {COUNT} samples can't be used, more than --max-problems {max_problems:g}"
        )
        assert message.endswith(f"{folder}/labels.tsv:1: 0.png: the file is empty")
        assert len(message.splitlines()) == 1

    def test_labels_longer_than_the_time_steps(self, tmp_path, said):
        folder, other = write(tmp_path / "set", [*TEXTS, "ab" * 15]), write(tmp_path / "other", ["bac"])
        recipe = plan(folder, other).recipe  # of a network with 10 time steps
        assert recipe.training.epoch_size == COUNT
        assert (recipe.text.alphabet, recipe.text.min_length, recipe.text.max_length) == ("abc", 2, 4)
        assert [" needs 30 time steps" in line for line in said()] == [True]


class TestAnyWidth:
    def plan(self, folder, other, max_problems=0.1):
        return plan(folder, other, max_problems=max_problems, settings=[("image.width", None)])

    def test_labels_too_long_for_their_image_are_left_out(self, tmp_path, said):
        # Images of 30 by 8 become 60 by 16, which makes 15 time steps; a wider one makes 30.
        folder = write(tmp_path / "set", [*TEXTS, "ab" * 8, "ba" * 8])
        other = write(tmp_path / "other", ["abc" * 5, "abc"])
        (folder / f"{COUNT + 1}.png").write_bytes(png((8, 60)))
        made = self.plan(folder, other)
        assert (made.recipe.training.epoch_size, made.recipe.training.validation_size) == (COUNT + 1, 2)
        assert (made.recipe.image.width, made.recipe.text.max_length) == (None, 16)
        where = f"{folder}/labels.tsv:{COUNT + 1}: {COUNT}.png"
        assert said() == [f"Left out: {where}: 'abababababababab' needs 16 time steps, and the network gives 15"]
        batch = made.make_source()(("train", range(COUNT + 1)))
        assert {text: width for text, width in zip(batch.texts, batch.widths.tolist()) if width != 60} == {
            "ba" * 8: 120
        }

    def test_images_that_are_no_lines_are_left_out(self, tmp_path, said):
        folder, other = write(tmp_path / "set", TEXTS), write(tmp_path / "other", ["a"])
        (folder / "4.png").write_bytes(png((1, 600)))
        assert self.plan(folder, other).recipe.training.epoch_size == COUNT - 1
        (warning,) = said()
        assert warning.startswith(f"Left out: {folder}/labels.tsv:5: 4.png: 600 by 1 pixels are no line of text")

    def test_too_many(self, tmp_path):
        folder, other = write(tmp_path / "set", TEXTS), write(tmp_path / "other", ["a" * 9])
        with pytest.raises(OCRError, match=r"^1 of 1 samples can't be used.* needs 17 time steps.*gives 15$"):
            self.plan(folder, other, max_problems=1.0)

    def test_upright_images_name_what_turns_them(self, tmp_path, said):
        folder, other = write(tmp_path / "set", [*TEXTS, "ab"]), write(tmp_path / "other", ["a"])
        upright = png((60, 8))
        (folder / f"{COUNT}.png").write_bytes(upright)
        assert self.plan(folder, other).recipe.training.epoch_size == COUNT
        (warning,) = said()
        needed = "needs 2 time steps, and the network gives 1: image.rotate=90 makes text that runs down a line"
        assert warning.endswith(needed)
        turned = plan(folder, other, settings=[("image.width", None), ("image.rotate", 90)], max_problems=1.0)
        assert turned.recipe.training.epoch_size == 1


class TestDigest:
    def test_of_the_same_data_is_the_same(self, tmp_path):
        one, two = write(tmp_path / "one", TEXTS), write(tmp_path / "two", TEXTS)
        assert plan(one).data == plan(one).data == plan(two).data
        assert plan(one).data != plan(one, held_out=0.5).data

    @pytest.mark.parametrize("change", ["a text", "a name", "one more", "one fewer", "one damaged", "another order"])
    def test_changes_with_names_and_texts(self, tmp_path, change):
        folder, other = write(tmp_path / "set", TEXTS), write(tmp_path / "other", ["a"])
        before = plan(folder, other).data
        path = folder / "labels.tsv"
        lines = path.read_text().splitlines()
        if change == "a text":
            lines[-1] = lines[-1][:-1] + "b"
        elif change == "a name":
            (folder / "19.png").rename(folder / "new.png")
            lines[-1] = lines[-1].replace("19.png", "new.png")
        elif change == "one more":
            (folder / "new.png").write_bytes(PNG)
            lines.append("new.png\ta")
        elif change == "one fewer":
            (folder / "19.png").unlink()
            lines.pop()
        elif change == "one damaged":
            (folder / "19.png").write_bytes(b"")
        else:
            lines.reverse()
        path.write_text("".join(f"{line}\n" for line in lines))
        assert plan(folder, other).data != before

    def test_changes_with_validation_data(self, tmp_path):
        folder = write(tmp_path / "set", TEXTS)
        digests = {plan(folder, write(tmp_path / "other", texts)).data for texts in (["a"], ["b"], ["a", "b"])}
        assert len(digests) == 3
