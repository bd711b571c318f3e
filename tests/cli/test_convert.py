"""The command that turns a data set of one format into one of another."""

import json
import re
import subprocess
import sys
import unicodedata
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ocr_lib.cli.convert import main
from ocr_lib.sets.dataset import open_dataset
from ocr_lib.sets.labelled import Item
from ocr_lib.sets.writers import WRITERS, write_dataset

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "lstm_ocr_convert.py"
UW3 = ROOT / ".." / "shared" / "data" / "uw3-500"
ENDINGS = (".png", ".jpg", ".bmp", ".tif", ".webp")
TEXTS = ["42", "42", "a b", "a_1", "a", "Größe, «x»", '"q" 1,5', "数字", "x.y", "a..", "-", "_0", "42"]

labels = st.text(st.characters(exclude_categories=["Cc", "Cn", "Cs", "Z"]), min_size=1, max_size=20).map(
    partial(unicodedata.normalize, "NFC")
)


def image(number, ending=".png"):
    done, data = cv2.imencode(ending, np.full((12, 30 + number), 200, np.uint8))
    assert done
    return data.tobytes()


def samples(texts):
    for number, text in enumerate(texts):
        ending = ENDINGS[number % len(ENDINGS)]
        yield Item(f"{number}{ending}", text), image(number, ending)


def target(folder, format_, name="out"):
    return folder / (f"{name}.rec" if format_ == "rec" else name)


def write(path, format_, texts=TEXTS):
    write_dataset(path, format_, samples(texts))
    return path


def contents(path, format_=None):
    """Return texts and image files, in an order of their own."""
    dataset = open_dataset(path, format_)
    assert dataset.problems == []
    return sorted((dataset.item(index).text, dataset.read_file(index)) for index in range(len(dataset)))


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def convert(capfd):
    """Return what runs the command: it returns the exit code, and the lines of stdout and stderr."""

    def run(*arguments):
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as exit_:
            code = exit_.code
        captured = capfd.readouterr()
        return code, captured.out.splitlines(), captured.err.splitlines()

    return run


@pytest.fixture
def refused(convert, tmp_path):
    """Return what sees to it that the command ends in one line that matches, and writes nothing."""

    def check(message, *arguments):
        before = sorted(tmp_path.rglob("*"))
        code, lines, errors = convert(*arguments)
        assert code not in (0, None) and lines == [] and len(errors) == 1
        assert re.search(message, errors[0]), errors[0]
        assert "unexpected" not in errors[0]
        assert sorted(tmp_path.rglob("*")) == before

    return check


class TestRoundTrips:
    @pytest.mark.parametrize("to", WRITERS)
    @pytest.mark.parametrize("from_", WRITERS)
    def test_texts_and_bytes_stay(self, convert, tmp_path, from_, to):
        source, out = write(target(tmp_path, from_, "source"), from_), target(tmp_path, to)
        code, lines, told = convert(source, out, "--to", to)
        assert (code, lines) == (0, [f"{len(TEXTS)} images and their texts written to {out}"])
        assert len(told) == (from_ in ("names", "list", "tab"))  # where the labels were found
        expected = sorted((item.text, data) for item, data in samples(TEXTS))
        assert contents(source) == contents(source, from_) == contents(out) == contents(out, to) == expected

    @pytest.mark.parametrize("to", WRITERS)
    def test_the_same_bytes_again(self, convert, tmp_path, to):
        source = write(tmp_path / "source", "labels")
        one, other = (target(tmp_path / name, to) for name in "ab")
        assert convert(source, one, "--to", to)[0] == convert(source, other, "--to", to)[0] == 0
        assert files(tmp_path / "a") == files(tmp_path / "b")
        for name in files(tmp_path / "a"):
            assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()

    @pytest.mark.parametrize("format_", WRITERS)
    @given(texts=st.lists(labels, min_size=1, max_size=6))
    @settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_any_texts(self, tmp_path_factory, format_, texts):
        path = target(tmp_path_factory.mktemp("any"), format_)
        texts = [text.translate({47: "|", 46: ","}) if format_ == "names" else text for text in texts]
        written = [(item.text, data) for item, data in samples(texts)]
        write_dataset(path, format_, samples(texts))
        assert contents(path, format_) == sorted(written)


class TestLayout:
    @pytest.mark.parametrize(
        "to, expected",
        [
            ("names", ["a.png", "a_1.png", "b_2_0.jpg"]),
            ("labels", ["0.png", "1.png", "2.jpg", "labels.tsv"]),
            ("gt", ["0.gt.txt", "0.png", "1.gt.txt", "1.png", "2.gt.txt", "2.jpg"]),
            ("list", ["images/0.png", "images/1.png", "images/2.jpg", "list.txt"]),
            ("tab", ["images/0.png", "images/1.png", "images/2.jpg", "list.txt"]),
        ],
    )
    def test_files(self, tmp_path, to, expected):
        written = [(Item(f"{i}.{'ppj'[i]}{'nnp'[i]}g", text), image(i)) for i, text in enumerate(["a", "a", "b_2"])]
        write_dataset(tmp_path / "out", to, written)
        assert files(tmp_path / "out") == expected
        for name, separator in ("list", ","), ("tab", "\t"):
            if to == name:
                first = f"images/0.png{separator}a"
                assert (tmp_path / "out" / "list.txt").read_text().splitlines()[0] == first

    def test_the_format_is_labels_unless_out_is_a_rec_file(self, convert, tmp_path):
        source = write(tmp_path / "source", "tab")
        assert convert(source, tmp_path / "a")[0] == convert(source, tmp_path / "new" / "a.rec")[0] == 0
        assert (tmp_path / "a" / "labels.tsv").is_file() and files(tmp_path / "new") == ["a.idx", "a.rec"]
        assert convert(tmp_path / "new" / "a.rec", tmp_path / "b", "--to", "labels")[0] == 0
        assert files(tmp_path / "b")[:3] == ["000000.png", "000001.jpg", "000002.bmp"]

    def test_folders_become_part_of_the_names(self, convert, tmp_path):
        names = ["b/1.bin.png", "b_1.bin.png", "../x,y.png", "ü.png", "a.png", "a.jpg", f"{'l' * 100}.png"]
        for number, name in enumerate(names):
            (tmp_path / "source" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "source" / name).write_bytes(image(number))
        lines = (f"{name}\t{number}\n" for number, name in enumerate(names))
        (tmp_path / "source" / "train.tsv").write_text("".join(lines))
        assert convert(tmp_path / "source" / "train.tsv", tmp_path / "out", "--to", "gt")[0] == 0
        stems = ["b_1.bin", "b_1.bin-1", "_x_y", "ü", "a", "a-1", "l" * 60]
        assert sorted(path.stem for path in (tmp_path / "out").glob("*.*g")) == sorted(stems)
        assert [text for text, _ in contents(tmp_path / "out")] == [str(number) for number in range(len(names))]

    @pytest.mark.skipif(not UW3.is_dir(), reason="the lines of uw3-500 are not beside this checkout")
    def test_lines_of_print(self, convert, tmp_path):
        for to in "gt", "rec":
            assert convert(UW3 / "valid.txt", target(tmp_path, to, to), "--to", to, "--quiet")[0] == 0
            assert contents(target(tmp_path, to, to)) == contents(UW3 / "valid.txt")


class TestLeftOut:
    @pytest.fixture
    def source(self, tmp_path):
        folder = write(tmp_path / "source", "labels", [str(number) for number in range(8)])
        (folder / "8.png").write_bytes(image(8))
        (folder / "0.png").write_text("This is a letter.\n")
        return folder

    def test_is_told(self, convert, source, tmp_path):
        code, lines, errors = convert(source, tmp_path / "out", "--max-problems", 0.3)
        assert (code, errors) == (0, [])
        assert lines == [
            f"7 images and their texts written to {tmp_path / 'out'}",
            "2 left out:",
            f"{source}/8.png: not in labels.tsv",
            f"{source}/labels.tsv:1: 0.png: no image that OpenCV can read, or a damaged one",
        ]
        assert [text for text, _ in contents(tmp_path / "out")] == list("1234567")

    def test_as_json(self, convert, source, tmp_path):
        code, lines, _ = convert(source, tmp_path / "out.rec", "--max-problems=1", "--json")
        report = json.loads("\n".join(lines))
        assert code == 0 and len(report.pop("left_out")) == 2
        assert report == {"path": str(tmp_path / "out.rec"), "converted": 7}

    @pytest.mark.parametrize("to", WRITERS)
    def test_too_many(self, refused, source, tmp_path, to):
        told = f"{source}: 2 of 9 entries can't be used, and --max-problems is 0.2: {source}/8.png: not in labels.tsv; "
        refused(told, source, target(tmp_path, to), "--to", to, "--max-problems=0.2")

    def test_all(self, refused, tmp_path):
        (tmp_path / "source").mkdir()
        (tmp_path / "source" / "a.png").write_text("This is a letter.\n")
        told = f"{tmp_path}/source: no labelled image: {tmp_path}/source/a.png: no image"
        refused(told, tmp_path / "source", tmp_path / "out", "--max-problems=1")


class TestRefused:
    @pytest.mark.parametrize("to", WRITERS)
    def test_to_overwrite(self, refused, tmp_path, to):
        source, out = write(tmp_path / "source", "labels"), write(target(tmp_path, to), to)
        refused(f"{out} is there already", source, out, "--to", to)

    @pytest.mark.parametrize("name", ["out.rec", "out.idx"])
    def test_to_overwrite_half_a_record_file(self, refused, tmp_path, name):
        source = write(tmp_path / "source", "labels")
        (tmp_path / name).touch()
        refused(f"{name} is there already", source, tmp_path / "out.rec")

    @pytest.mark.parametrize("to", sorted(set(WRITERS) - {"rec"}))
    def test_an_empty_folder_is_taken(self, convert, tmp_path, to):
        source = write(tmp_path / "source", "labels")
        (tmp_path / "out").mkdir()
        assert convert(source, tmp_path / "out", "--to", to)[0] == 0
        assert len(contents(tmp_path / "out")) == len(TEXTS)

    @pytest.mark.parametrize("text", ["a/b", "/", "数" * 90])
    def test_texts_that_are_no_file_names(self, refused, tmp_path, text):
        source = write(tmp_path / "source", "labels", ["a", text])
        told = f"1.jpg: the text '{text}' can't be the name of a file: choose another format"
        refused(told, source, tmp_path / "out", "--to=names")

    @pytest.mark.parametrize(
        "arguments, message",
        [
            ([], "required: SOURCE, OUT"),
            (["SET"], "required: OUT"),
            (["none", "OUT"], "none: no such file or folder"),
            (["EMPTY", "OUT"], "EMPTY: no labelled image in this folder"),
            (["SET", "OUT", "--format=gt"], "SET: no labelled image"),
            (["SET", "OUT", "--format=coco"], "--format: invalid choice: 'coco'"),
            (["SET", "OUT", "--to=synth90k"], "--to: invalid choice: 'synth90k'"),
            (["SET", "OUT", "--to=rec"], "OUT: let the name of a RecordIO file end in .rec"),
            (["SET", "OUT", "--max-problems=2"], "--max-problems must be from 0 to 1, not 2"),
            (["SET", "OUT", "--max-problems=nan"], "--max-problems must be from 0 to 1, not nan"),
            (["SET", "OUT", "--max-problems=few"], "invalid float value: 'few'"),
            (["SET", "SET/labels.tsv/OUT"], "can't be written"),
            (["SET", "SET/labels.tsv/OUT.rec"], "can't be written"),
            (["SET/labels.tsv", "OUT", "--format=names"], "labels.tsv: not a folder"),
            (["letter.txt", "OUT"], "letter.txt: no list of images and their texts; --format says what it is"),
        ],
    )
    def test_arguments(self, refused, tmp_path, monkeypatch, arguments, message):
        monkeypatch.chdir(tmp_path)
        write(tmp_path / "SET", "labels")
        (tmp_path / "EMPTY").mkdir()
        (tmp_path / "letter.txt").write_text("Dear Sir\nI am\n")
        refused(message, *arguments)


def test_what_a_killed_run_left_is_replaced(convert, tmp_path):
    source = write(tmp_path / "source", "labels")
    (tmp_path / ".out.tmp").mkdir()
    (tmp_path / ".out.tmp" / "old.png").touch()
    assert convert(source, tmp_path / "out", "--to=names")[0] == 0
    assert len(contents(tmp_path / "out")) == len(TEXTS) == len(files(tmp_path / "out"))
    assert not (tmp_path / ".out.tmp").exists()


def test_the_script_does_what_the_command_does(tmp_path):
    source = write(tmp_path / "source", "labels")
    command = [sys.executable, SCRIPT, source, tmp_path / "out.rec"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert (done.stdout, done.stderr) == (f"{len(TEXTS)} images and their texts written to {tmp_path}/out.rec\n", "")
    assert contents(tmp_path / "out.rec") == contents(source)
