"""Texts in files beside images, one each."""

import pytest

from ocr_lib.errors import OCRError
from ocr_lib.sets.dataset import find_format, open_dataset
from tests.sets.opened import images, items, open_all

TEXTS = {"1": "7741", "2": "é", "10": "a b", "11": "1"}


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "set"


def test_pairs(folder):
    images(folder, "a.png", "b.bin.png", "c.nrm.png", "d.x.TIF", "e.bin.png", "0001/f.png", "0001/deep/g.jpg")
    for name in "a", "b", "c", "d.x", "e.bin", "0001/f", "0001/deep/g":
        (folder / f"{name}.gt.txt").write_text(f"text of {name}\n")
    (folder / "notes.txt").write_text("none\n")
    names = ["a.png", "b.bin.png", "c.nrm.png", "d.x.TIF", "e.bin.png", "0001/f.png", "0001/deep/g.jpg"]
    texts = ["a", "b", "c", "d.x", "e.bin", "0001/f", "0001/deep/g"]
    assert open_all(folder) == ([(name, f"text of {text}") for name, text in zip(names, texts)], [])


def test_one_of_several_forms_is_taken(folder):
    images(folder, "a.nrm.png", "a.png", "a.bin.png", "b.nrm.png", "b.bin.png", "b.dew.png")
    for name in "ab":
        (folder / f"{name}.gt.txt").write_text(name)
    assert open_all(folder) == ([("a.png", "a"), ("b.bin.png", "b")], [])


def test_problems(folder):
    images(folder, "a.png", "b.bin.png", "c.png", "d.png", "sub/e.png", "f.png")
    for name, text in (("a", b"\xef\xbb\xbf1"), ("c", b" \n"), ("d", b"\xff"), ("sub/lone", b"x")):
        (folder / f"{name}.gt.txt").write_bytes(text)
    (folder / "f.gt.txt").mkdir()
    found, problems = open_all(folder)
    assert found == [("a.png", "1")]
    assert problems[:3] == ["b.bin.png: no b.gt.txt beside it", "c.png: the label is empty", problems[2]]
    assert problems[2].startswith("d.gt.txt: ") and "is not UTF-8" in problems[2]
    assert problems[3:] == [
        "f.png: no f.gt.txt beside it",
        "sub/e.png: no e.gt.txt beside it",
        "sub/lone.gt.txt: no image beside it",
    ]


@pytest.mark.parametrize("name", ["{}.txt", "{}.gt.txt", "{}.png.txt", "{}_label.txt", "{}-gt.txt", "{}.lab"])
@pytest.mark.parametrize("place", ["", "labels/"])
def test_what_texts_are_called(folder, name, place):
    images(folder, *(f"{place and 'images/'}{stem}.png" for stem in TEXTS))
    (folder / place).mkdir(exist_ok=True)
    for stem, text in TEXTS.items():
        (folder / place / name.format(stem)).write_text(f"{text}\n", encoding="utf-8")
    (folder / "classes.txt").write_text("text\n")
    found = {f"{place and 'images/'}{stem}.png": text for stem, text in TEXTS.items()}
    assert find_format(folder) == "gt"
    assert (dict(open_all(folder)[0]), open_all(folder)[1]) == (found, [])


def test_texts_elsewhere_belong_to_no_image_if_several_are_called_so(folder):
    images(folder, "a/1.png", "b/1.png", "b/2.png", "b/3.png")
    for name in "gt/1", "gt/2", "b/3":
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / f"{name}.gt.txt").write_text(name)
    found, problems = open_all(folder)
    assert found == [("b/2.png", "gt/2"), ("b/3.png", "b/3")]
    assert problems == [
        "a/1.png: no 1.gt.txt beside it",
        "b/1.png: no 1.gt.txt beside it",
        "gt/1.gt.txt: no image beside it",
    ]


def test_texts_of_half_of_the_images_are_none(folder):
    images(folder, "1.png", "2.png", "3.png", "4.png")
    for stem in "12":
        (folder / f"{stem}.txt").write_text("notes")
    assert find_format(folder) == "names"


@pytest.mark.parametrize("name", ["about.txt", "a1.txt", "_a.txt"])
def test_a_text_of_another_name_is_none(folder, name):
    images(folder, "a.png")
    (folder / name).write_text("notes, on two\nlines")
    assert find_format(folder) == "names"


def test_boxes_of_letters_are_no_texts(folder):
    images(folder, "l0.png", "l1.png")
    for stem in "l0", "l1":
        (folder / f"{stem}.box").write_text("a 5 5 22 30 0\nb 25 5 42 30 0\n")
    with pytest.raises(OCRError, match="l0.box may have the labels, but is of one image alone; put its text into l0"):
        open_dataset(folder)
    assert items(open_dataset(folder, "names")) == [("l0.png", "l0"), ("l1.png", "l1")]
