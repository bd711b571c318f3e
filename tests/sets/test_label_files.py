"""Lists of images in every layout, encoding and place, whatever they are called."""

import json
import logging
import os
import unicodedata
from pathlib import Path

import pytest

from ocr_lib.errors import OCRError
from ocr_lib.sets.dataset import find_format, open_dataset
from tests.sets.lists import LISTS, NAMES, PAIRS, PNG, TEXTS, lines, read, write_images

CASES = Path(__file__).parents[2] / ".." / "shared" / "cases"


@pytest.fixture
def folder(tmp_path):
    return write_images(tmp_path)


@pytest.fixture(autouse=True)
def told(monkeypatch, caplog):
    """What is logged; the commands stop the package's loggers from handing it on."""
    monkeypatch.setattr(logging.getLogger("ocr_lib"), "propagate", True)
    caplog.set_level(logging.INFO, "ocr_lib")
    return caplog


@pytest.mark.parametrize("name", LISTS)
def test_is_read_whatever_it_is_called(folder, name):
    (folder / name).write_bytes(LISTS[name].encode())
    (folder / "README.txt").write_text("Six images.\nThey are small.\n")
    assert find_format(folder) == "labels"
    assert read(folder) == read(folder / name) == PAIRS


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("name", ["labels.txt", "train.csv", "map.json", "gt.txt"])
def test_encodings(folder, name, encoding):
    (folder / name).write_bytes(LISTS[name].encode(encoding))
    assert read(folder) == PAIRS


def test_files_with_marks_that_were_joined(folder):
    rows = lines("{n}\t{t}").splitlines(keepends=True)
    (folder / "all.tsv").write_bytes(b"".join(row.encode("utf-8-sig") for row in rows))
    assert read(folder) == PAIRS


@pytest.mark.parametrize("encoding", ["latin-1", "cp1251", "gbk", "shift-jis"])
def test_other_encodings_are_refused(folder, encoding):
    text = "ж" if encoding == "cp1251" else "é" if encoding == "latin-1" else "字"
    (folder / "labels.txt").write_bytes(lines("{n}\t{t}", ["1", "2", "3", text, "5", "6"]).encode(encoding))
    with pytest.raises(OCRError, match="labels.txt: line 4 is not UTF-8; save the file in that encoding"):
        open_dataset(folder)


def test_icdar_escapes_quotes(folder):
    (folder / "gt.txt").write_text(lines('{n}, "say \\"{t}\\""'), encoding="utf-8")
    assert read(folder)[NAMES[0]] == 'say "7741"'


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_names_in_either_normal_form(tmp_path, form):
    stored, listed = (unicodedata.normalize(each, "größe.png") for each in (form, {"NFC": "NFD", "NFD": "NFC"}[form]))
    (tmp_path / stored).write_bytes(PNG)
    (tmp_path / "labels.tsv").write_text(f"{listed}\t1\n", encoding="utf-8")
    assert read(tmp_path) == {stored: "1"}


class TestPaths:
    def test_back_slashes(self, folder):
        (folder / "img").mkdir()
        for name in NAMES:
            (folder / name).rename(folder / "img" / name)
        (folder / "labels.txt").write_text(lines("img\\{n}\t{t}"), encoding="utf-8")
        assert list(read(folder).values()) == TEXTS

    def test_a_missing_image_is_not_taken_for_another_of_its_name(self, folder):
        (folder / "labels.txt").write_text(f"{NAMES[0]}\t1\nother/{NAMES[1]}\t2\n")
        assert open_dataset(folder, max_problems=1).problems == [f"{folder}/labels.txt:2: no image other/{NAMES[1]}"]


class TestTwice:
    def test_weighs_twice_and_is_told(self, folder, told):
        (folder / "labels.tsv").write_text(lines("{n}\t{t}") + f"{NAMES[0]}\t {TEXTS[0]}\n", encoding="utf-8")
        dataset = open_dataset(folder)
        assert len(dataset) == len(NAMES) + 1 and dataset.item(0) == dataset.item(len(NAMES))
        assert "1 lines name an image again, with the same text" in told.text

    def test_with_another_text_is_a_problem(self, folder):
        (folder / "labels.tsv").write_text(lines("{n}\t{t}") + f"{NAMES[0]}\t8\n", encoding="utf-8")
        with pytest.raises(OCRError, match=rf"labels.tsv:7: {NAMES[0]} is listed again, with another text"):
            open_dataset(folder)


class TestParts:
    @pytest.fixture(params=["tab", "titled", "json"])
    def path(self, request, folder):
        parts = dict(zip(NAMES, ["Train", "training", "val", "valid", "test", "train"]))
        rows = [(name, text, parts[name]) for name, text in PAIRS.items()]
        if request.param == "json":
            entries = [dict(zip(("file_name", "text", "split"), row)) for row in rows]
            (folder / "all.json").write_text(json.dumps(entries))
            return folder / "all.json"
        titles = "split\tfile_name\ttext\n" if request.param == "titled" else ""
        row = "{2}\t{0}\t{1}\n" if titles else "{0}\t{1}\t{2}\n"
        (folder / "all.tsv").write_text(titles + "".join(row.format(*each) for each in rows), encoding="utf-8")
        return folder / "all.tsv"

    @pytest.mark.parametrize(
        "parts, found", [((), range(6)), (("train",), (0, 1, 5)), (("val", "test"), (2, 3)), (("test", "val"), (4,))]
    )
    def test_one_is_read(self, path, told, parts, found):
        assert list(read(path, parts=parts)) == [NAMES[index] for index in found]
        assert "1 lines of test, 3 lines of train, 2 lines of val" in told.text

    def test_one_that_is_not_there(self, path):
        with pytest.raises(OCRError, match="1 lines of test, .*and none of dev2: --split says which to read, or all"):
            open_dataset(path, parts=("dev2",))

    def test_one_alone(self, folder):
        (folder / "labels.tsv").write_text(lines("{n}\t{t}\ttrain"), encoding="utf-8")
        assert read(folder) == read(folder, parts=("train",)) == PAIRS
        with pytest.raises(OCRError, match="has 6 lines of train, and none of test: --split"):
            open_dataset(folder, parts=("test", "val"))

    def test_another_third_column_is_refused(self, folder):
        (folder / "labels.tsv").write_text(lines("{n}\t{t}\t0.5"), encoding="utf-8")
        with pytest.raises(OCRError, match="labels.tsv: lines have 3 columns: name them in a first line"):
            open_dataset(folder)
        assert read(folder, format="tab")[NAMES[0]] == "7741 0.5"

    def test_texts_may_be_called_as_images_are(self, folder):
        for name in NAMES:
            (folder / name[4:]).write_bytes(PNG)
        texts = [name[4:8] for name in reversed(NAMES)]
        (folder / "any.csv").write_text(lines("{n},{t},", texts))
        assert read(folder) == dict(zip(NAMES, texts))

    @pytest.mark.parametrize("row", ["{n},{t},x", "{n},1,{t}", "{t},x,{n}"])
    def test_columns_of_which_several_say_something_are_refused(self, folder, row):
        (folder / "labels.csv").write_text(lines(row, ["7", "8", "9", "1", "2", "3"]), encoding="utf-8")
        with pytest.raises(OCRError, match="labels.csv: lines have 3 columns: name them in a first line"):
            open_dataset(folder)

    def test_three_columns_between_bars_are_refused(self, folder):
        (folder / "metadata.txt").write_text(lines("{n}|{t}|{t}"), encoding="utf-8")
        with pytest.raises(OCRError, match=r"lines have 3 columns: name them in a first line, as file_name and text$"):
            open_dataset(folder)

    def test_titles_that_do_not_tell(self, folder):
        (folder / "labels.csv").write_text("image,text,label\n" + lines("{n},{t},x", ["1"] * 6))
        with pytest.raises(OCRError, match="columns are called image, text, label: call that of the images"):
            open_dataset(folder)


class TestFoldersOfParts:
    @pytest.fixture
    def parted(self, tmp_path):
        for number, part in enumerate(["Train", "valid", "test"]):
            (tmp_path / part).mkdir()
            (tmp_path / part / f"77{number}.png").write_bytes(PNG)
        (tmp_path / "README.md").write_text("Three parts.\n")
        return tmp_path

    @pytest.mark.parametrize(
        "parts, text",
        [(("train",), "770"), (("val", "test"), "771"), (("test", "val"), "772"), (("dev2", "val"), "771")],
    )
    def test_one_is_read(self, parted, told, parts, text):
        assert list(read(parted, parts=parts).values()) == [text]
        assert "is read; --split names another part" in told.text

    @pytest.mark.parametrize("parts", [(), ("dev2",)])
    def test_none_is_chosen(self, parted, parts):
        with pytest.raises(
            OCRError, match=rf"there are images in {parted / 'Train'}, {parted / 'test'}, {parted}/valid"
        ):
            open_dataset(parted, parts=parts)

    def test_a_list_above_them_counts(self, parted):
        (parted / "all.csv").write_text("Train/770.png,a\ntest/772.png,b\n")
        assert list(read(parted, parts=("train",)).values()) == ["a", "b"]

    def test_texts_of_other_parts_are_not_among_them(self, parted):
        for number, part in enumerate(["Train", "valid", "test"]):
            (parted / part / f"77{number}.gt.txt").write_text(part)
        assert list(read(parted, parts=("train",)).values()) == ["Train"]
        assert sorted(read(parted).values()) == ["Train", "test", "valid"]


class TestTextsBeside:
    def test_without_gt_in_their_names(self, folder):
        for name, text in PAIRS.items():
            (folder / name).with_suffix(".txt").write_text(f"{text}\n", encoding="utf-8")
        (folder / "README.txt").write_text("Six images.\n")
        assert find_format(folder) == "gt" and read(folder) == PAIRS

    def test_in_utf_16(self, folder):
        for name, text in PAIRS.items():
            (folder / name).with_suffix(".gt.txt").write_text(f"{text}\n", encoding="utf-16")
        assert read(folder) == PAIRS

    def test_of_two_lines_are_problems(self, folder):
        for name, text in PAIRS.items():
            (folder / name).with_suffix(".gt.txt").write_text(f"\n{text}\r\n", encoding="utf-8")
        (folder / "img_0001.gt.txt").write_text("one\ntwo\n")
        dataset = open_dataset(folder, max_problems=0.5)
        assert (len(dataset), dataset.problems) == (5, [f"{folder}/img_0001.gt.txt: 2 lines, and an image has one"])


class TestFolders:
    def test_what_systems_leave_there_is_passed_over(self, folder):
        (folder / "labels.tsv").write_text(LISTS["labels.txt"], encoding="utf-8")
        for name in "._img_0001.png", "._labels.csv", "__MACOSX/a.gt.txt", ".ipynb_checkpoints/labels.tsv":
            path = folder / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(b"\0\5\x16\7")
        assert read(folder) == PAIRS

    def test_links_are_followed_once(self, tmp_path):
        real = tmp_path / "real"
        real.mkdir()
        (real / "a.png").write_bytes(PNG)
        (real / "a.gt.txt").write_text("1")
        (real / "up").symlink_to(tmp_path)
        (tmp_path / "set").mkdir()
        (tmp_path / "set" / "link").symlink_to(real)
        assert read(tmp_path / "set") == {os.path.join("link", "a.png"): "1"}  # noqa: PTH118


@pytest.mark.skipif(not CASES.is_dir(), reason="the cases are not beside this checkout")
class TestCases:
    @pytest.mark.parametrize(
        "name, count, first",
        [
            ("label-file-beside/dddd", 12, "7741"),
            ("label-file-beside/csv", 12, "7741"),
            ("file-names/id_label", 12, "5904"),
            ("file-names/label_copy", 12, "2kca"),
            ("label-files/backslash.tsv", 40, "1283"),
            ("label-files/doubled.tsv", 50, "1283"),
            ("label-files/quotes.csv", 39, "1283"),
            ("label-files/semicolon.csv", 40, "1283"),
            ("label-files/three.tsv", 40, "1283"),
            ("label-files/twobom.tsv", 40, "1283"),
            ("label-files/utf16.tsv", 40, "1283"),
        ],
    )
    def test_is_read(self, name, count, first):
        dataset = open_dataset(CASES / name)
        assert (len(dataset), dataset.item(0).text) == (count, first)

    def test_two_lines(self):
        with pytest.raises(OCRError, match=r"1 of 10 entries .*l00.gt.txt: 2 lines, and an image has one"):
            open_dataset(CASES / "multi-line-gt")
