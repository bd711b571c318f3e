"""Names of the image files that are written."""

import pytest

from ocr_lib.sets.dataset import open_dataset
from ocr_lib.sets.labelled import Item
from ocr_lib.sets.writers import WRITERS, write_dataset
from tests.images.image_seeds import SEEDS
from tests.sets.standard_sets import write_svt

SUFFIXES = {"PNG": "png", "JPEG": "jpg", "BMP": "bmp", "TIFF": "tif", "WebP": "webp", "PNM": "pnm", "GIF": "gif"}


@pytest.mark.parametrize("image_format", SEEDS)
@pytest.mark.parametrize("name, stem", [("7", "7"), ("scans/7.jp2", "scans_7.jp2")])
def test_a_name_without_a_suffix_of_images_gets_that_of_its_format(tmp_path, image_format, name, stem):
    data = SEEDS[image_format][0]
    write_dataset(tmp_path / "out", "gt", [(Item(name, "text"), data)])
    assert (tmp_path / "out" / f"{stem}.{SUFFIXES[image_format]}").read_bytes() == data


def test_a_suffix_of_images_stays_as_it_is(tmp_path):
    write_dataset(tmp_path / "out", "gt", [(Item("7.JPEG", "text"), SEEDS["PNG"][0])])
    assert (tmp_path / "out" / "7.JPEG").exists()


@pytest.mark.parametrize("name", WRITERS)
def test_rectangles_become_images(tmp_path, name):
    dataset = open_dataset(write_svt(tmp_path / "svt1"))
    expected = {dataset.item(index).text: dataset.read(index).tolist() for index in range(len(dataset))}
    path = tmp_path / ("out.rec" if name == "rec" else "out")
    write_dataset(path, name, ((dataset.item(index), dataset.read_file(index)) for index in range(len(dataset))))
    written = open_dataset(path, name)
    assert {written.item(index).text: written.read(index).tolist() for index in range(len(written))} == expected
