"""LMDB databases, as those who share them write them, with LMDB itself."""

import multiprocessing
import pickle
import sys
import tracemalloc

import lmdb
import numpy as np
import pytest

from ocr_lib.errors import OCRError
from ocr_lib.sets.databases import DatabaseDataset, is_database
from ocr_lib.sets.dataset import find_format, open_dataset
from tests.sets.lists import PNG, png

TEXTS = ["0042", "Große Straße", "数字", "a, b\u0301 ‚c‘"]


def write(path, values, subdir=True):
    with lmdb.open(str(path), map_size=2**28, subdir=subdir) as environment, environment.begin(write=True) as writing:
        for key, value in values.items():
            writing.put(key.encode(), value)
    return path


def values_of(texts, image=png):
    values = {"num-samples": str(len(texts)).encode()}
    for number, text in enumerate(texts, 1):
        values[f"label-{number:09d}"] = text.encode()
        values[f"image-{number:09d}"] = image(number)
    return values


@pytest.fixture
def folder(tmp_path):
    return write(tmp_path / "words", values_of(TEXTS))


def test_texts_and_images(folder):
    assert find_format(folder) == find_format(folder / "data.mdb") == "lmdb"
    for path in (folder, folder / "data.mdb"):
        dataset = open_dataset(path)
        items = [dataset.item(index) for index in range(len(dataset))]
        assert [item.text for item in items] == TEXTS
        assert [item.name for item in items] == ["000000001", "000000002", "000000003", "000000004"]
        assert [dataset.read_file(index) for index in range(4)] == [png(number) for number in range(1, 5)]
        assert dataset.read(2).shape == (20, 50)
        assert dataset.where(2) == f"{folder / 'data.mdb'}: image-000000003"
        assert dataset.problems == []


def test_nothing_is_written_beside_it(folder):
    (folder / "lock.mdb").unlink()
    open_dataset(folder).read(0)
    assert [path.name for path in folder.iterdir()] == ["data.mdb"]


def test_a_folder_that_one_is_in(folder):
    with pytest.raises(OCRError, match=f"no labelled image in this folder; there are images in {folder}: "):
        open_dataset(folder.parent)


def test_a_folder_with_another_file_of_that_name(tmp_path):
    (tmp_path / "data.mdb").write_text("hello")
    with pytest.raises(OCRError, match=r"no labelled image in this folder$"):
        open_dataset(tmp_path)


def test_a_file_of_any_name(tmp_path):
    path = write(tmp_path / "words.db", values_of(TEXTS), subdir=False)
    assert [open_dataset(path).item(index).text for index in range(4)] == TEXTS


def test_what_can_not_be_used_is_told(tmp_path):
    values = values_of(["a", " ", "c", "d", "e", "f"])
    del values["label-000000003"]
    del values["image-000000004"]
    values["label-000000005"] = b"\xff"
    values["num-samples"] = b"7"
    path = write(tmp_path / "words", values)
    dataset = open_dataset(path, max_problems=1)
    assert [dataset.item(index).text for index in range(len(dataset))] == ["a", "f"]
    assert dataset.problems == [
        f"{path / 'data.mdb'}: {number:09d}: {fault}"
        for number, fault in [
            (2, "the label is empty"),
            (3, "the label is empty"),
            (4, "it has no image"),
            (5, "the label is not UTF-8"),
            (7, "the label is empty"),
        ]
    ]
    with pytest.raises(OCRError, match=r"5 of 7 entries can't be used"):
        open_dataset(path)


def test_an_image_that_is_none_is_told_by_its_key(tmp_path):
    path = write(tmp_path / "words", values_of(["a"], lambda _: b"a letter"))
    with pytest.raises(OCRError, match=f"^{path / 'data.mdb'}: image-000000001: no image"):
        open_dataset(path).read(0)


def test_another_database(tmp_path):
    path = write(tmp_path / "others", {"key": b"value"})
    with pytest.raises(OCRError, match=r"data\.mdb: no database of images and texts: it lacks num-samples$"):
        open_dataset(path)


def test_one_that_is_cut_off(tmp_path):
    path = write(tmp_path / "words", values_of(TEXTS * 20)) / "data.mdb"
    whole = path.read_bytes()
    for length in [*range(0, len(whole), 4096), 20, 100, len(whole) - 1]:
        path.write_bytes(whole[:length])
        with pytest.raises(OCRError, match=r"cut off at byte|damaged, or no LMDB database|no list of images"):
            open_dataset(path)
    assert not is_database(tmp_path / "nothing")


def test_one_that_is_damaged(tmp_path):
    path = write(tmp_path / "words", values_of(TEXTS)) / "data.mdb"
    pickled = pickle.dumps(DatabaseDataset(path))
    path.write_bytes(path.read_bytes()[:16] + b"\xde\xc0\xef\xbe" + bytes(9000))
    with pytest.raises(OCRError, match=f"^{path}: damaged, or no LMDB database"):
        pickle.loads(pickled).item(0)  # noqa: S301


def test_pickles_and_works_after_a_fork(folder):
    dataset = DatabaseDataset(folder)
    dataset.read(0)
    for method in ("fork", "forkserver"):
        with multiprocessing.get_context(method).Pool(2) as pool:
            assert pool.map(dataset.item, range(4)) == [dataset.item(index) for index in range(4)]
            pool.close()  # to terminate it may hang
            pool.join()
    copy = pickle.loads(pickle.dumps(dataset))  # noqa: S301
    np.testing.assert_array_equal(copy.read(1), dataset.read(1))


def test_memory_does_not_grow_with_the_images(tmp_path):
    path = write(tmp_path / "words", values_of([f"text {n}" for n in range(5000)], lambda _: PNG + bytes(10_000)))
    tracemalloc.start()
    dataset = open_dataset(path)
    for index in range(0, 5000, 10):
        assert dataset.item(index).text == f"text {index}" and dataset.read(index).shape == (8, 30)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000


def test_without_the_library(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "lmdb", None)
    with pytest.raises(OCRError, match=r"is an LMDB database: pip install .*\[lmdb\]"):
        open_dataset(folder)
