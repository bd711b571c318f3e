"""RecordIO files against MXNet's own reader and writer."""

import contextlib
import multiprocessing
import pickle
import struct
import tracemalloc

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ocr_lib.errors import OCRError
from ocr_lib.mx import mx
from ocr_lib.sets import records
from ocr_lib.sets.dataset import open_dataset
from ocr_lib.sets.records import RecordDataset, RecordFile, frame, index_path, pack, record_writer, unpack
from tests.sets.lists import png

MAGIC = struct.pack("<I", 0xCED7230A)
TEXTS = ["0042", "Große Straße", "数字", "a, b\u0301 ‚c‘", "𝔘" * 200]

few_folders = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
# Bytes in which the magic number is frequent, in and out of step.
contents = st.lists(st.sampled_from([MAGIC, b"a", b"bc", MAGIC[:3], b"\0" * 5]) | st.binary(max_size=9)).map(b"".join)
texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


def write(path, written):
    with record_writer(path) as write_record:
        for record in written:
            write_record(record)
    return path


def read(path):
    file = RecordFile(path)
    return [file.read(position) for position in file.positions()]


def mx_write(path, written):
    writer = mx.recordio.MXIndexedRecordIO(str(index_path(path)), str(path), "w")
    for number, record in enumerate(written):
        writer.write_idx(number, record)
    writer.close()
    return path


def mx_read(path):
    reader = mx.recordio.MXIndexedRecordIO(str(index_path(path)), str(path), "r")
    return [reader.read_idx(key) for key in reader.keys]


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def labelled(tmp_path):
    """Write a record of each text."""
    return write(tmp_path / "a.rec", [pack(text, png(i), i) for i, text in enumerate(TEXTS)])


class TestBesideMXNet:
    @few_folders
    @given(st.lists(contents, max_size=5))
    @example([MAGIC, b"", MAGIC + MAGIC, b"a" + MAGIC, b"abcd" + MAGIC + b"e", MAGIC + b"abc"])
    def test_both_write_the_same_files_and_read_them(self, tmp_path, written):
        ours, theirs = write(tmp_path / "ours.rec", written), mx_write(tmp_path / "theirs.rec", written)
        assert ours.read_bytes() == theirs.read_bytes()
        assert index_path(ours).read_bytes() == index_path(theirs).read_bytes()
        assert read(ours) == mx_read(ours) == written
        index_path(ours).unlink()
        assert read(ours) == written

    @given(texts, contents, st.integers(0, 2**64 - 1))
    def test_both_pack_and_unpack_alike(self, text, image, number):
        codes = [ord(character) for character in text]
        record = pack(text, image, number)
        assert record == mx.recordio.pack(mx.recordio.IRHeader(0, codes, number, 0), image)
        header, rest = mx.recordio.unpack(record)
        assert (header.flag, header.id, header.id2, rest) == (len(text), number, 0, image)
        np.testing.assert_array_equal(header.label, codes)
        assert unpack(record) == (text, image)

    def test_mxnet_decodes_the_images(self, labelled):
        dataset = RecordDataset(labelled)
        for index, record in enumerate(mx_read(labelled)):
            _, image = mx.recordio.unpack_img(record, cv2.IMREAD_GRAYSCALE)
            np.testing.assert_array_equal(dataset.read(index), image)

    def test_an_index_in_another_order_is_followed(self, tmp_path, labelled):
        index = index_path(labelled)
        lines = index.read_text().splitlines(keepends=True)
        index.write_text("".join(reversed(lines)))
        assert read(labelled) == mx_read(labelled)
        assert RecordDataset(labelled).item(0).text == TEXTS[-1]


class TestDataset:
    @pytest.mark.parametrize("has_index", [True, False])
    def test_texts_and_images(self, labelled, has_index):
        if not has_index:
            index_path(labelled).unlink()
        dataset = open_dataset(labelled)
        assert [dataset.item(i).text for i in range(len(dataset))] == [
            "0042", "Große Straße", "数字", "a, b\u0301 ‚c‘", "𝔘" * 200,
        ]  # fmt: skip
        assert [dataset.item(i).name for i in range(len(dataset))] == [f"{i:06d}" for i in range(len(TEXTS))]
        assert [dataset.read_file(i) for i in range(len(dataset))] == [png(i) for i in range(len(TEXTS))]
        assert dataset.read(2).shape == (20, 50) and dataset.problems == []

    @pytest.mark.parametrize("index", [len(TEXTS), 10**6])
    def test_no_such_index(self, labelled, index):
        for function in (dataset := RecordDataset(labelled)).item, dataset.read, dataset.where:
            with pytest.raises(IndexError):
                function(index)

    def test_a_header_or_an_image_with_the_magic_number(self, tmp_path):
        image = png(0)
        number = struct.unpack("<I", MAGIC)[0]
        path = write(tmp_path / "a.rec", [pack("ab", image + MAGIC * 3, number), pack("c" * 300, image + MAGIC)])
        dataset = RecordDataset(path)
        assert [dataset.item(i).text for i in range(2)] == ["ab", "c" * 300]
        assert dataset.read_file(0) == image + MAGIC * 3

    @pytest.mark.parametrize(
        "record, fault",
        [
            (b"", "too short for its header"),
            (b"abc", "too short for its header"),
            (pack("abcdef", b"")[:40], "too short for its header"),
            (struct.pack("<IfQQ", 2**32 - 1, 0, 0, 0), "too short for its header"),
            (struct.pack("<IfQQ", 0, 3.0, 0, 0) + b"image", "not the code points of a text"),
            *(
                (struct.pack("<IfQQ2f", 2, 0, 0, 0, 97, number), "not the code points of a text")
                for number in (0.5, -1, 0x110000, 1e30, float("inf"), float("nan"))
            ),
            (pack(" \t", b""), "the label is empty"),
            (pack("a\0", b""), r"control character U\+0000"),
            (struct.pack("<IfQQf", 1, 0, 0, 0, 0xD800), r"control character U\+D800"),
        ],
        ids=lambda value: value if isinstance(value, str) else "record",
    )
    def test_records_without_a_text_are_problems(self, tmp_path, record, fault):
        path = write(tmp_path / "a.rec", [pack("a", png(0)), record, pack("b", png(1))])
        dataset = open_dataset(path, max_problems=0.5)
        (problem,) = dataset.problems
        assert problem.startswith(f"{path}: record 1 at byte {len(frame(pack('a', png(0))))}: ")
        assert [dataset.item(i).text for i in range(len(dataset))] == ["a", "b"]
        with pytest.raises(OCRError, match=fault):
            open_dataset(path)

    def test_an_image_that_is_none_is_told_by_its_place(self, tmp_path):
        path = write(tmp_path / "a.rec", [pack("a", png(0)), pack("b", b"a letter")])
        with pytest.raises(OCRError, match=rf"^{path}: record 1 at byte \d+: no image"):
            open_dataset(path).read(1)

    def test_pickles_and_works_after_a_fork(self, labelled):
        dataset = RecordDataset(labelled)
        with multiprocessing.get_context("forkserver").Pool(1) as pool:
            assert pool.map(dataset.item, range(len(TEXTS))) == [dataset.item(i) for i in range(len(TEXTS))]
            pool.close()  # to terminate it may hang
            pool.join()
        copy = pickle.loads(pickle.dumps(dataset))  # noqa: S301
        np.testing.assert_array_equal(copy.read(1), dataset.read(1))

    def test_memory_does_not_grow_with_the_images(self, tmp_path):
        image, count = png(0, (40, 60)), 20_000
        path = write(tmp_path / "a.rec", (pack(f"text {i}", image, i) for i in range(count)))
        assert path.stat().st_size > 40_000_000
        tracemalloc.start()
        dataset = open_dataset(path)
        after_opening = tracemalloc.get_traced_memory()[0]
        for index in range(0, count, 4):
            assert dataset.item(index).text == f"text {index}" and dataset.read(index).shape == (40, 60)
        now, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 1_500_000 and now - after_opening < 50_000


class TestDamage:
    @pytest.mark.parametrize("has_index", [True, False])
    def test_a_file_that_is_cut_off(self, tmp_path, has_index):
        path = write(tmp_path / "a.rec", [pack("ab", b"image"), pack("c", MAGIC * 2 + b"image")])
        whole, second = path.read_bytes(), len(frame(pack("ab", b"image")))
        if not has_index:
            index_path(path).unlink()
        for length in range(len(whole)):
            path.write_bytes(whole[:length])
            if not has_index and length in (0, second):
                assert len(RecordDataset(path)) == (length > 0)
                continue
            with pytest.raises(OCRError, match=f"^{path}: cut off at byte {length}, "):
                RecordDataset(path)

    @pytest.mark.parametrize("has_index", [True, False])
    def test_a_byte_that_is_changed_is_no_other_error(self, tmp_path, has_index):
        path = write(tmp_path / "a.rec", [pack("ab", b"image"), pack("c", MAGIC * 2 + b"image")])
        whole = path.read_bytes()
        if not has_index:
            index_path(path).unlink()
        faults = set()
        for place in range(len(whole)):
            for change in 1, 0x80, 0xFF:
                path.write_bytes(whole[:place] + bytes([whole[place] ^ change]) + whole[place + 1 :])
                try:
                    RecordDataset(path)
                except OCRError as error:
                    faults.add(str(error))
        assert f"{path}: damaged at byte 0, where a record should begin or go on" in faults

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.binary() | st.binary().map(lambda rest: MAGIC + rest))
    def test_any_bytes(self, tmp_path, data):
        path = tmp_path / "a.rec"
        path.write_bytes(data)
        with contextlib.suppress(OCRError):
            RecordDataset(path)

    @pytest.mark.parametrize("line", ["", "1", "0\tx", "0\t-8", "1\t2\t3", "\xff\t\xff"])
    def test_an_index_that_is_none(self, labelled, line):
        index_path(labelled).write_text(f"0\t0\n{line}\n", encoding="latin-1")
        with pytest.raises(OCRError, match=rf"^{index_path(labelled)}:2: not the key and the position"):
            open_dataset(labelled)

    @pytest.mark.parametrize("position, fault", [(4, "damaged at byte 4"), (10**9, "cut off"), (10**30, "cut off")])
    def test_an_index_of_another_file(self, labelled, position, fault):
        index_path(labelled).write_text(f"0\t0\n1\t{position}\n")
        with pytest.raises(OCRError, match=f"^{labelled}: {fault}"):
            open_dataset(labelled)

    def test_a_file_that_became_shorter(self, labelled):
        dataset = RecordDataset(labelled)
        with labelled.open("r+b") as file:
            file.truncate(100)
        with pytest.raises(OCRError, match=rf"{labelled}: cut off at byte \d+ since it was opened"):
            dataset.read(4)

    def test_an_empty_file(self, tmp_path):
        (tmp_path / "a.rec").write_bytes(b"")
        with pytest.raises(OCRError, match=f"^{tmp_path}/a.rec: no labelled image"):
            open_dataset(tmp_path / "a.rec")

    def test_a_folder(self, tmp_path):
        with pytest.raises(OCRError, match=f"^{tmp_path}: Is a directory"):
            RecordFile(tmp_path)


class TestWriting:
    def test_a_file_is_whole_or_absent(self, tmp_path):
        path = tmp_path / "new" / "a.rec"
        with pytest.raises(ZeroDivisionError):
            write(path, (bytes(8 // i) for i in (1, 0)))
        assert names(path.parent) == []
        write(path, [b"record"])
        assert names(path.parent) == ["a.idx", "a.rec"]

    def test_a_record_that_is_too_long(self, tmp_path, monkeypatch):
        monkeypatch.setattr(records, "_LENGTH_BITS", 10)
        frame(bytes(1023))
        with pytest.raises(OCRError, match="a record of 1,024 bytes is too long: at most 1,023"):
            write(tmp_path / "a.rec", [bytes(1024)])
        assert names(tmp_path) == []

    def test_a_place_where_nothing_can_be_written(self, tmp_path):
        (tmp_path / "file").touch()
        with pytest.raises(OCRError, match="can't be written"):
            write(tmp_path / "file" / "a.rec", [b""])
