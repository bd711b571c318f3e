"""Labels of RecordIO files that are class ids."""

import struct
from pathlib import Path

import cv2
import numpy as np
import pytest

from ocr_lib.errors import OCRError
from ocr_lib.sets.dataset import open_dataset
from ocr_lib.sets.records import pack, record_writer

PNG = cv2.imencode(".png", np.full((8, 30), 200, np.uint8))[1].tobytes()
CASES = Path(__file__).parents[2] / ".." / "shared" / "cases"


def record(*label):
    return struct.pack(f"<IfQQ{len(label)}f", len(label), 0, 0, 0, *label) + PNG


def single(label):
    return struct.pack("<IfQQ", 0, label, 0, 0) + PNG


@pytest.fixture
def read(tmp_path):
    """Return what writes records, and reads their texts."""

    def write_and_read(records, alphabet=None):
        with record_writer(tmp_path / "a.rec") as write:
            for each in records:
                write(each)
        dataset = open_dataset(tmp_path / "a.rec", max_problems=0, alphabet=alphabet)
        return [dataset.item(index).text for index in range(len(dataset))]

    return write_and_read


@pytest.mark.parametrize(
    "labels, alphabet, texts",
    [
        ([(100, 102), (101, 101)], "abc", ["ac", "bb"]),
        ([(1, 3, 0, 0), (2, 0, 0, 0)], "abc", ["ac", "b"]),
        ([(0, 3, 1, 2), (2, 1, 0, 0)], "abcd", ["adbc", "cbaa"]),
        ([(0, 3, -1, -1), (1, 2, -1, -1)], "abcd", ["ad", "bc"]),
        ([(1, 2, 0), (3, 0, 0)], "abcd", ["bca", "daa"]),
        ([(48, 49), (49, 57)], "0123456789", ["01", "19"]),
        ([(100, 101, 102)], "abcdef", ["def"]),
        ([(97, 98)], None, ["ab"]),
        ([(100, 101), (102, 109)], "0123456789", ["de", "fm"]),
        ([(0xE9,), (0x416,)], None, ["é", "Ж"]),
    ],
)
def test_what_labels_stand_for(read, labels, alphabet, texts):
    assert read([record(*label) for label in labels], alphabet) == texts


def test_single_numbers_are_class_ids(read):
    assert read([single(97), single(99), single(98)], "xyz") == ["x", "z", "y"]
    with pytest.raises(OCRError, match="class ids from 97 to 99, .*--alphabet of 3 characters"):
        read([single(97), single(99)])


@pytest.mark.parametrize(
    "labels, alphabet, fault",
    [
        ([(1, 3), (2, 2)], None, "a.rec: labels are class ids from 1 to 3, .*: give an --alphabet of 3 characters"),
        ([(100, 102), (101, 101)], None, "class ids from 100 to 102"),
        ([(200, 202), (201, 201)], "ab", "the --alphabet needs as many characters, 3, and has 2"),
    ],
)
def test_refused(read, labels, alphabet, fault):
    with pytest.raises(OCRError, match=fault):
        read([record(*label) for label in labels], alphabet)


def test_a_text_with_a_character_that_the_alphabet_lacks_stays_one(read):
    assert read([pack("12", PNG), pack("1x", PNG)], "0123456789") == ["12", "1x"]


@pytest.mark.skipif(not CASES.is_dir(), reason="the cases are not beside this checkout")
def test_the_case():
    path = CASES / "rec-class-ids" / "train.rec"
    assert open_dataset(path, alphabet="0123456789").item(0).text == "7929"
    with pytest.raises(OCRError, match="class ids from 100 to 109, .*: give an --alphabet of 10 characters"):
        open_dataset(path)
