"""What a look at every sample finds, and which of them fit a network."""

import cv2
import numpy as np
import pytest

from ocr_lib.feed.disk import fitting
from ocr_lib.feed.survey import Surveyor, survey
from ocr_lib.geometry import Shrinkage
from ocr_lib.preparation import Preparation
from ocr_lib.recipe.auto import find_recipe
from ocr_lib.sets.dataset import open_dataset
from tests.toy import png


def steps(count):
    """Make images as wide as a network wants them that gives so many time steps."""
    return Preparation((count, 8))


def fitted(dataset, preparation):
    """Return the widths of the samples that fit, by index, and the faults of the others."""
    seen = survey(dataset, range(len(dataset)), num_workers=1)
    subset, unfit = fitting(seen, preparation)
    assert subset.dataset is dataset
    return dict(zip(subset.indices, subset.widths.tolist())), [*seen.faults, *unfit]


@pytest.fixture
def write(tmp_path):
    def write(texts):
        generator = np.random.default_rng(0)
        for index in range(len(texts)):
            cv2.imwrite(str(tmp_path / f"{index}.png"), generator.integers(0, 256, (8, 30), np.uint8))
        (tmp_path / "labels.tsv").write_text("".join(f"{i}.png\t{text}\n" for i, text in enumerate(texts)))
        return open_dataset(tmp_path)

    return write


def test_all_are_seen_in_their_order_whatever_the_number_of_workers(write, tmp_path):
    dataset = write("abcdef" * 30)
    (tmp_path / "7.png").write_bytes(png((5, 9)))
    seen = survey(dataset, range(3, 150), num_workers=1)
    assert seen.indices.tolist() == list(range(3, 150)) and seen.faults == []
    assert seen.columns[["height", "width"]][4].tolist() == (5, 9)
    assert set(seen.columns[["height", "width"]].tolist()) == {(5, 9), (8, 30)}
    assert seen.facts().lengths.tolist() == [1] * 147
    np.testing.assert_array_equal(survey(dataset, range(3, 150), num_workers=2).columns, seen.columns)


def test_only_the_same_pixels_have_the_same_digest(write, tmp_path):
    dataset = write("abcde")
    image = cv2.imread(str(tmp_path / "0.png"), cv2.IMREAD_GRAYSCALE)
    cv2.imwrite(str(tmp_path / "1.png"), image, [cv2.IMWRITE_PNG_COMPRESSION, 0])
    cv2.imwrite(str(tmp_path / "2.png"), image.reshape(16, 15))
    image[0, 0] ^= 1
    cv2.imwrite(str(tmp_path / "3.png"), image)
    first, *others = survey(dataset, range(5), num_workers=1).columns["digest"].tolist()
    assert [other == first for other in others] == [True, False, False, False]


def test_fine_ones_fit(write):
    assert fitted(write("abc"), steps(3)) == ({0: 3, 1: 3, 2: 3}, [])
    assert Surveyor(write("abc"))([]) == []


def test_of_any_width_each_has_its_own(write, tmp_path):
    dataset = write("abcdefgh")
    for index in range(8):
        (tmp_path / f"{index}.png").write_bytes(png((10 + index, 25 + 9 * index)))
    preparation = Preparation((None, 16), shrinkage=(Shrinkage(0, 4),))
    widths, _ = fitted(dataset, preparation)
    assert widths == {index: preparation.prepare(dataset.read(index)).shape[1] for index in range(8)}
    assert len(set(widths.values())) > 5


@pytest.mark.parametrize(
    "text, needed", [("a", 1), ("abcd", 4), ("aa", 3), ("aaa", 5), ("aabb", 6), ("abab", 4), ("éé é", 5)]
)
def test_time_steps_that_a_label_needs(write, text, needed):
    dataset = write([text])
    assert fitted(dataset, steps(needed)) == ({0: needed}, [])
    fault = f"{dataset.where(0)}: {text!r} needs {needed} time steps, and the network gives {needed - 1}"
    assert fitted(dataset, steps(needed - 1)) == ({}, [fault])


@pytest.mark.parametrize("text, fault", [("abcdefg", ""), ("abcdefgh", "needs 8 time steps"), ("abcdff", "")])
def test_time_steps_that_an_image_has(write, text, fault):
    dataset = write([text])  # 30 by 8, so 60 by 16
    found = fitted(dataset, Preparation((None, 16), shrinkage=(Shrinkage(4, 8),)))
    expected = f"{dataset.where(0)}: {text!r} {fault}, and the network gives 7"
    assert found == (({}, [expected]) if fault else ({0: 60}, []))


def test_an_image_too_wide_for_a_line(write, tmp_path):
    dataset = write("ab")
    (tmp_path / "1.png").write_bytes(png((1, 600)))
    widths, (fault,) = fitted(dataset, Preparation((None, 16)))
    assert widths == {0: 60}
    assert fault.startswith(f"{dataset.where(1)}: 600 by 1 pixels are no line of text")
    assert fitted(dataset, steps(40)) == ({0: 40, 1: 40}, [])


def test_images_that_cannot_be_read(write, tmp_path):
    dataset = write("abcde")
    (tmp_path / "1.png").write_bytes(b"")
    (tmp_path / "2.png").unlink()
    whole = (tmp_path / "3.png").read_bytes()
    (tmp_path / "3.png").write_bytes(whole[: len(whole) // 2])
    widths, faults = fitted(dataset, steps(9))
    assert widths == {0: 9, 4: 9}
    for index, fault in zip((1, 2, 3), faults):
        assert fault.startswith(f"{tmp_path}/labels.tsv:{index + 1}: {index}.png: ")
        assert len(fault.splitlines()) == 1
    assert "empty" in faults[0] and "No such file" in faults[1] and "cut off" in faults[2]


@pytest.mark.parametrize("channels", [1, 3])
def test_images_of_one_colour_have_nothing_to_be_read(write, tmp_path, channels):
    dataset = write("abc")
    blank = np.full((900, 900, channels), 200, np.uint8)
    cv2.imwrite(str(tmp_path / "1.png"), blank)
    blank[401, 401:431] = 0  # between the pixels of a grid
    cv2.imwrite(str(tmp_path / "2.png"), blank)
    fault = f"{dataset.where(1)}: nothing is to be seen, all of the image is of one colour"
    assert survey(dataset, range(3), num_workers=1).faults == [fault]


def test_parted(write):
    seen = survey(write("abcd"), range(4), num_workers=1)._replace(faults=["one"])
    of, others = seen.parted(np.array([True, False, False, True]))
    assert (of.indices.tolist(), others.indices.tolist()) == ([0, 3], [1, 2])
    assert (of.texts(), others.texts()) == (["a", "d"], ["b", "c"])
    assert (of.faults, others.faults) == (["one"], [])
    np.testing.assert_array_equal(of.columns, seen.columns[[0, 3]])


def test_tiles_of_many_colours_between_bands_are_seen(tmp_path):
    generator = np.random.default_rng(0)
    for index in range(20):
        image = np.zeros((60, 120, 3), np.uint8)
        for place in range(3):
            tile = image[15:45, 40 * place : 40 * place + 40]
            tile[:] = generator.integers(0, 256, 3)
            tile[10:20, 18:22] = generator.integers(0, 256, 3)
        cv2.imwrite(str(tmp_path / f"{index}_abc.png"), image)
    dataset = open_dataset(tmp_path)
    image = find_recipe(survey(dataset, range(20), num_workers=1).facts()).recipe.image
    assert (image.crop, image.ground) == ((0.25, 0.25), "subtract")
