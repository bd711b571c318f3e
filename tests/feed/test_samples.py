"""Samples to calibrate and compare models with: rendered in fonts, or read from a folder."""

import cv2
import numpy as np
import pytest

from ocr_lib.draw.fonts import Font
from ocr_lib.errors import OCRError
from ocr_lib.feed.samples import load_samples
from ocr_lib.feed.source import CaptchaSource
from ocr_lib.images.decode import fit
from ocr_lib.images.polarity import dark_on_light
from ocr_lib.preparation import Preparation
from tests.toy import toy_recipe

RECIPE = toy_recipe()
SIZE = RECIPE.image.size
TURNS = ("validation", "test")
OURS = Preparation(SIZE)


def load(path, split="test", count=100, preparation=OURS):
    return load_samples(path, RECIPE, preparation, split, count)


@pytest.fixture
def folder(tmp_path):
    """Write images of different sizes, each as grey as its number tells, with a dark stroke."""
    for i in range(7):
        image = np.full((20 + i, 50), 255 - 10 * i, np.uint8)
        image[5:9, 10:14] = 0
        assert cv2.imwrite(str(tmp_path / f"{i}.png"), image)
    return tmp_path


def numbers(samples):
    """Tell which images these are."""
    return [round((255 - float(image[-1, -1])) / 10) for image in samples.images]


def label(folder, rows):
    (folder / "labels.tsv").write_text("".join(f"{name}\t{text}\n" for name, text in rows), encoding="utf-8")


class TestFonts:
    @pytest.mark.parametrize("split", TURNS)
    @pytest.mark.parametrize("count", [1, 5])
    def test_are_the_first_samples_of_the_split(self, font, split, count):
        found = load(font, split, count)
        expected = CaptchaSource(RECIPE, [Font(font)])((split, range(count)))
        np.testing.assert_array_equal(found.images, expected.images)
        assert found.texts == expected.texts
        assert found.widths.tolist() == [SIZE[0]] * count

    def test_splits_differ(self, font):
        one, other = (load(font, split, 5) for split in TURNS)
        assert not np.array_equal(one.images, other.images)

    def test_a_folder_of_fonts(self, font_dir):
        found = load(font_dir, count=20)
        assert found.images.shape == (20, SIZE[1], SIZE[0]) and len(found.texts) == 20

    def test_a_folder_with_an_image_is_one_of_images(self, font, folder):
        (folder / font.name).write_bytes(font.read_bytes())
        assert load(folder).texts is None

    def test_a_font_without_the_characters(self, subset_font, tmp_path):
        with pytest.raises(OCRError, match=r"a.ttf: this font has no glyph for '7'"):
            load(subset_font(tmp_path / "a.ttf", "0 "))


class TestFolder:
    def test_each_split_has_every_other_image(self, folder):
        assert numbers(load(folder, "validation")) == [0, 2, 4, 6]
        assert numbers(load(folder, "test")) == [1, 3, 5]

    @pytest.mark.parametrize("count, expected", [(1, [1]), (2, [1, 3]), (3, [1, 3, 5]), (4, [1, 3, 5])])
    def test_at_most_so_many(self, folder, count, expected):
        assert numbers(load(folder, count=count)) == expected

    @pytest.mark.parametrize("how", [{}, {"resize": "bilinear", "invert": "never"}])
    def test_are_prepared_as_for_reading(self, folder, how):
        image = np.random.default_rng(0).integers(0, 120, (64, 90), np.uint8)
        assert cv2.imwrite(str(folder / "1.png"), image)
        found = load(folder, count=1, preparation=Preparation(SIZE, **how)).images[0]
        expected = cv2.resize(image, SIZE) if how else fit(dark_on_light(image), SIZE)
        np.testing.assert_array_equal(found, expected)

    def test_of_any_width_are_padded_with_paper(self, folder):
        found = load(folder, split="validation", preparation=Preparation((None, 16)))
        images = [cv2.imread(str(folder / f"{i}.png"), cv2.IMREAD_GRAYSCALE) for i in (0, 2, 4, 6)]
        widths = [round(50 * 16 / len(image)) for image in images]
        assert found.widths.tolist() == widths == [40, 36, 33, 31]
        assert found.images.shape == (4, 16, 40)
        for padded, image, width in zip(found.images, images, widths):
            np.testing.assert_array_equal(padded[:, :width], fit(image, (width, 16)))
            assert (padded[:, width:] == 255).all()

    def test_texts_go_with_their_images(self, folder):
        label(folder, [(f"{i}.png", f"text {i}") for i in reversed(range(7))])
        assert load(folder, "validation").texts == ["text 0", "text 2", "text 4", "text 6"]
        assert load(folder, "test", 2).texts == ["text 1", "text 3"]

    def test_texts_may_be_of_any_language(self, folder):
        label(folder, [("1.png", "数字"), ("3.png", "жук"), ("5.png", "a b")])
        assert load(folder).texts == ["数字", "жук", "a b"]

    def test_a_list_by_any_name(self, folder):
        (folder / "gt.txt").write_text("".join(f'{i}.png, "text {i}"\n' for i in range(7)))
        assert load(folder).texts == ["text 1", "text 3", "text 5"]

    def test_no_texts_where_one_is_unknown(self, folder):
        label(folder, [("1.png", "a"), ("3.png", "b")])
        assert load(folder).texts is None
        assert load(folder, count=2).texts == ["a", "b"]

    def test_no_texts_without_labels(self, folder):
        assert load(folder).texts is None

    def test_one_image_only(self, folder):
        for i in range(1, 7):
            (folder / f"{i}.png").unlink()
        assert numbers(load(folder, "validation")) == [0]
        with pytest.raises(OCRError, match=f"^{folder} has one image only"):
            load(folder, "test")

    def test_an_image_that_can_not_be_read(self, folder):
        (folder / "3.png").write_text("This is a letter.\n")
        with pytest.raises(OCRError, match=f"^{folder}/3.png: no image that OpenCV can read"):
            load(folder)
        assert len(load(folder, "validation").images) == 4

    def test_labels_that_are_no_text(self, folder):
        (folder / "labels.tsv").write_bytes(b"1.png\t\xff\n")
        with pytest.raises(OCRError, match=f"^{folder}/labels.tsv: line 1 is not UTF-8"):
            load(folder)


class TestDataset:
    def test_of_a_list_each_split_has_every_other(self, folder):
        rows = [f"{i}.png,text {i}\n" for i in range(7)]
        (folder / "list.txt").write_text("".join(rows))
        one, other = (load(folder / "list.txt", split) for split in TURNS)
        assert numbers(one) == [0, 2, 4, 6] and one.texts == ["text 0", "text 2", "text 4", "text 6"]
        assert numbers(other) == [1, 3, 5] and other.texts == ["text 1", "text 3", "text 5"]
        assert numbers(load(folder / "list.txt", count=2)) == [1, 3]

    def test_images_beside_their_texts(self, folder):
        for i in range(7):
            (folder / f"{i}.gt.txt").write_text(f"text {i}")
        assert load(folder, "test").texts == ["text 1", "text 3", "text 5"]

    def test_of_one_image_only(self, folder):
        (folder / "list.txt").write_text("0.png,a\n")
        with pytest.raises(OCRError, match=f"^{folder}/list.txt has one image only"):
            load(folder / "list.txt", "test")


class TestRefused:
    @pytest.mark.parametrize("count", [0, -1])
    @pytest.mark.parametrize("kind", ["font", "folder"])
    def test_too_few(self, request, kind, count):
        with pytest.raises(OCRError, match=f"^{count} samples are too few"):
            load(request.getfixturevalue(kind), count=count)

    def test_nothing_there(self, tmp_path):
        with pytest.raises(OCRError, match=f"^{tmp_path}/none: no such font file or folder"):
            load(tmp_path / "none")

    def test_an_empty_folder(self, tmp_path):
        with pytest.raises(OCRError, match=rf"^{tmp_path}: no .ttf or .otf file"):
            load(tmp_path)

    def test_another_file(self, tmp_path):
        (tmp_path / "a.txt").write_text("This is a letter.\n")
        with pytest.raises(OCRError, match=f"^{tmp_path}/a.txt: not a font"):
            load(tmp_path / "a.txt")
