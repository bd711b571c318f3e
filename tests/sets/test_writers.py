"""Names of the image files that are written."""

import pytest

from ocr_lib.sets.labelled import Item
from ocr_lib.sets.writers import write_dataset
from tests.images.image_seeds import SEEDS

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
