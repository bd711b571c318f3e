"""Opening data sets: formats found out, too many problems refused, labels cleaned."""

import pickle
import subprocess
import sys
import tracemalloc
import unicodedata
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocr_lib.errors import OCRError
from ocr_lib.sets.dataset import FORMATS, Dataset, Item, find_format, open_dataset
from ocr_lib.sets.labelled import clean_label
from ocr_lib.sets.records import pack, record_writer

UW3 = Path(__file__).parents[2] / ".." / "shared" / "data" / "uw3-500"
PNG = cv2.imencode(".png", np.full((8, 30), 200, np.uint8))[1].tobytes()


def write(path, content=PNG):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def write_rec(path):
    with record_writer(path) as write_record:
        write_record(pack("a", PNG))
    return path


@pytest.mark.skipif(not UW3.is_dir(), reason="the lines of uw3-500 are not beside this checkout")
class TestLinesOfPrint:
    @pytest.mark.parametrize("name, count", [("sortedTrain.txt", 400), ("valid.txt", 100)])
    def test_lists(self, name, count):
        dataset = open_dataset(UW3 / name)
        assert (len(dataset), dataset.problems) == (count, [])
        lines = (UW3 / name).read_text().splitlines()
        for index in range(0, count, 20):
            path, _, text = lines[index].partition(",")
            assert dataset.item(index) == Item(f"imgs/{path}.png", text)
            image = dataset.read(index)
            assert image.dtype == np.uint8 and image.ndim == 2 and image.shape[1] > image.shape[0]
            assert set(np.unique(image)) == {0, 255}

    def test_a_list_of_parts(self):
        for parts, count in ((), 500), (("train",), 400), (("val", "test"), 100):
            dataset = open_dataset(UW3, parts=parts)
            assert (len(dataset), dataset.problems) == (count, [])
        with pytest.raises(OCRError, match="100 lines of val, and none of test: --split says which to read, or all"):
            open_dataset(UW3, parts=("test",))


class TestFormats:
    @pytest.mark.parametrize(
        "name, content, format_",
        [
            ("a.rec", "", "rec"),
            ("A.REC", "", "rec"),
            ("train.CSV", "a.png,b c\n", "labels"),
            ("train.txt", "\n\na.png,b\tc\n", "labels"),
            ("train", "./2425/1/115_Lube_45484.jpg 45484\n", "labels"),
            ("train.json", '{"a.png": "b"}', "labels"),
        ],
    )
    def test_of_files(self, tmp_path, name, content, format_):
        assert find_format(write(tmp_path / name, content)) == format_

    @pytest.mark.parametrize(
        "names, format_",
        [
            (["a.png"], "names"),
            (["a.png", "labels.tsv"], "labels"),
            (["a.png", "labels.csv", "a.gt.txt", "a.rec"], "labels"),
            (["a.png", "a.gt.txt"], "gt"),
            (["book/0001/a.png", "book/0001/a.gt.txt"], "gt"),
            (["captchas.rec", "captchas.idx", "captchas.json"], "rec"),
        ],
    )
    def test_of_folders(self, tmp_path, names, format_):
        for name in names:
            write(tmp_path / name)
        assert find_format(tmp_path) == format_

    @pytest.mark.parametrize("content, format_", [("images/a.png,a\n", "list"), ("images/a.png\ta\n", "tab")])
    def test_of_a_folder_with_a_list(self, tmp_path, content, format_):
        write(tmp_path / "images" / "a.png")
        write(tmp_path / "list.txt", content)
        assert find_format(tmp_path) == "labels"
        assert open_dataset(tmp_path).item(0) == open_dataset(tmp_path, format_).item(0) == ("images/a.png", "a")

    def test_a_format_that_is_named_counts(self, tmp_path):
        write(tmp_path / "a_1.png")
        write(tmp_path / "labels.tsv", "a_1.png\ttext\n")
        assert open_dataset(tmp_path).item(0) == ("a_1.png", "text")
        assert open_dataset(tmp_path, "names").item(0) == ("a_1.png", "a")

    def test_the_one_rec_file_of_a_folder(self, tmp_path):
        write_rec(tmp_path / "a.rec")
        assert open_dataset(str(tmp_path)).item(0) == ("000000", "a")
        write_rec(tmp_path / "b.rec")
        with pytest.raises(OCRError, match=f"^{tmp_path}: 2 .rec files in this folder; name one"):
            open_dataset(tmp_path)


class TestRefused:
    @pytest.mark.parametrize("format_", [None, *FORMATS])
    def test_nothing_there(self, tmp_path, format_):
        with pytest.raises(OCRError, match=f"^{tmp_path}/none: no such file or folder"):
            open_dataset(tmp_path / "none", format_)

    @pytest.mark.parametrize("format_", [None, *FORMATS])
    def test_an_empty_folder(self, tmp_path, format_):
        with pytest.raises(OCRError, match=f"^{tmp_path}: no "):
            open_dataset(tmp_path, format_)

    @pytest.mark.parametrize("format_", [None, *FORMATS])
    @pytest.mark.parametrize("content", ["", "This is a letter.\n", b"\xff\xfe\0", b"\0" * 100])
    def test_another_file(self, tmp_path, format_, content):
        path = write(tmp_path / "a.txt", content)
        with pytest.raises(OCRError, match=f"^{path}: "):
            open_dataset(path, format_)

    def test_an_unknown_format(self, tmp_path):
        with pytest.raises(OCRError, match="there is no format coco: choose from names, labels, "):
            open_dataset(tmp_path, "coco")

    @pytest.mark.parametrize("problems, share", [(1, 0.05), (2, 0.1), (18, 0.5)])
    def test_too_many_problems(self, tmp_path, problems, share):
        write(tmp_path / "a.png")
        count = 20 - problems
        names = [f"{i}.png" for i in range(count)]
        for name in names:
            write(tmp_path / name)
        lines = [*(f"{name},1" for name in names), *(f"gone{i},2" for i in range(problems))]
        path = write(tmp_path / "train.txt", "\n".join(lines))
        is_refused = problems / 20 > share
        if not is_refused:
            dataset = open_dataset(path, max_problems=share)
            assert (len(dataset), len(dataset.problems)) == (count, problems)
            share = (problems - 0.5) / 20
        with pytest.raises(OCRError) as refused:
            open_dataset(path, max_problems=share)
        message = str(refused.value)
        assert message.startswith(f"{path}: {problems} of 20 entries can't be used, and --max-problems is {share:g}: ")
        assert message.count("no image gone") == min(problems, 5)
        assert message.endswith("; and so on") == (problems > 5)

    def test_nothing_that_can_be_used(self, tmp_path):
        path = write(tmp_path / "train.txt", "a,1\n")
        with pytest.raises(OCRError, match=f"^{path}: no labelled image: {path}:1: no image a$"):
            open_dataset(path, max_problems=1)


class TestLabel:
    @pytest.mark.parametrize(
        "text, label",
        [("a", "a"), ("  a \t b\r\n", "a b"), ("e\u0301", "é"), ("a\u3000\u2028b", "a b"), ("कि‍", "कि‍"), ("ﬁ", "ﬁ")],
    )
    def test_is_brought_to_one_form(self, text, label):
        assert clean_label(text) == label

    @pytest.mark.parametrize("text", ["", " ", "\n\t\u3000"])
    def test_empty(self, text):
        with pytest.raises(OCRError, match="the label is empty"):
            clean_label(text)

    @pytest.mark.parametrize("character", ["\0", "\x07", "\x7f", "\x9f", "\udc80"])
    def test_control_characters(self, character):
        with pytest.raises(OCRError, match=rf"control character U\+{ord(character):04X}"):
            clean_label(f"a{character}b")

    @given(st.text())
    def test_any(self, text):
        try:
            label = clean_label(text)
        except OCRError:
            return
        assert label == clean_label(label) == unicodedata.normalize("NFC", label) == label.strip()
        assert "".join(label.split()) == "".join(unicodedata.normalize("NFC", text).split())
        assert "  " not in label and len(label.splitlines()) == 1


def test_a_data_set_pickles_small(tmp_path):
    write(tmp_path / "0.png")
    write(tmp_path / "list.txt", "0.png,zero\n")
    for dataset in open_dataset(tmp_path), open_dataset(tmp_path, "names"):
        copy = pickle.loads(pickle.dumps(dataset))  # noqa: S301
        assert isinstance(copy, Dataset) and len(copy) == 1 and copy.problems == []
        assert copy.item(0) == dataset.item(0)
        np.testing.assert_array_equal(copy.read(0), dataset.read(0))
        assert len(pickle.dumps(dataset)) < 1500


def test_a_list_takes_little_memory(tmp_path):
    count = 3000
    for i in range(count):
        write(tmp_path / "images" / f"{i}.png")
    path = write(tmp_path / "train.txt", "".join(f"images/{i}.png,the text of line {i}\n" for i in range(count)))
    open_dataset(path)
    tracemalloc.start()
    dataset = open_dataset(path)
    held = tracemalloc.get_traced_memory()[0]
    for index in range(count):
        assert dataset.read(index).shape == (8, 30)
    now = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert held < 100 * count and now - held < 20_000


def test_workers_need_no_mxnet():
    program = "import sys, ocr_lib.sets.dataset, ocr_lib.cli.convert; sys.exit('mxnet' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], cwd=Path(__file__).parents[2], check=True)
