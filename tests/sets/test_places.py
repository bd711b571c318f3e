"""Words cut out of whole images, by lists of where they are."""

import json

import numpy as np
import pytest

from ocr_lib.errors import OCRError
from ocr_lib.images.pixels import Rendition
from ocr_lib.sets.dataset import find_format, open_dataset
from tests.sets.opened import items, open_all
from tests.sets.standard_sets import PIXELS, write_image

WORDS = {"img_1": ["2024", "two, 2"], "img_2": ["7,5"]}
HUGE = f'[{{"transcription": "a", "points": [[1, 1], [1{400 * "0"}, 9]]}}]'


def corners(number):
    """Return those of the words of an image: around each are 22 x 12 pixels."""
    return [(x, y + 20 * number) for x, y in [(3, 5), (23, 4), (24, 15), (2, 16)]]


@pytest.fixture
def folder(tmp_path):
    for stem in WORDS:
        write_image(tmp_path / f"{stem}.png")
    return tmp_path


def write(folder, name, row):
    for stem, words in WORDS.items():
        rows = [
            row.format(
                word=word,
                corners=",".join(f"{x},{y}" for x, y in corners(number)),
                top=4 + 20 * number,
                bottom=16 + 20 * number,
            )
            for number, word in enumerate(words)
        ]
        (folder / name.format(stem)).write_text("\r\n".join(rows), encoding="utf-8-sig")


@pytest.mark.parametrize("name", ["gt_{}.txt", "{}.txt"])
@pytest.mark.parametrize(
    "row",
    [
        "{corners},{word}",
        "{corners},Latin,{word}",
        '2, {top}, 24, {bottom}, "{word}"',
        '2 {top} 24 {bottom} "{word}"',
        "2.0,{top}.2,24.0,{bottom}.4,{word}",
    ],
)
def test_files_of_icdar(folder, name, row):
    write(folder, name, row)
    assert find_format(folder) == "places"
    dataset = open_dataset(folder)
    assert items(dataset) == [("img_1.png#0", "2024"), ("img_1.png#1", "two, 2"), ("img_2.png#0", "7,5")]
    for index, top in enumerate([4, 24, 4]):
        np.testing.assert_array_equal(dataset.read(index, Rendition(channels=3)), PIXELS[top : top + 12, 2:24])
        assert dataset.where(index) == str(folder / f"img_{1 + index // 2}.png")


def test_files_in_a_folder_of_their_own(folder):
    (folder / "gt").mkdir()
    write(folder / "gt", "gt_{}.txt", "{corners},{word}")
    assert [text for _, text in items(open_dataset(folder))] == ["2024", "two, 2", "7,5"]


def test_words_that_can_not_be_read_are_left_out(folder, caplog):
    caplog.set_level("INFO")
    write(folder, "gt_{}.txt", "{corners},{word}")
    (folder / "gt_img_2.txt").write_text("1,2,9,2,9,8,1,8,###\n1,2,9,2,9,8,1,8,#1\n")
    assert open_all(folder) == ([("img_1.png#0", "2024"), ("img_1.png#1", "two, 2"), ("img_2.png#0", "#1")], [])
    assert f"{folder}: words that are illegible, ###, are left out: 1" in caplog.text


def test_lines_that_say_nothing(folder):
    write(folder, "gt_{}.txt", "{corners},{word}")
    (folder / "gt_img_2.txt").write_text("1,2,9,2,9,8,1,8,a\n1,2,3,b\n5,5,5,9,c\n1,2,9,2,9,8,1,8,\n")
    found, problems = open_all(folder, "places")
    assert found[2:] == [("img_2.png#0", "a")]
    assert problems == [
        "gt_img_2.txt:2: not corners in pixels, and a text behind them",
        "gt_img_2.txt:3: a word of img_2.png has no width or no height",
        "gt_img_2.txt:4: not corners in pixels, and a text behind them",
    ]


def test_images_and_files_that_have_nothing(folder):
    write_image(folder / "img_3.png")
    write(folder, "gt_{}.txt", "{corners},{word}")
    (folder / "gt_img_2.txt").write_bytes(b"1,2,9,2,9,8,1,8,\xff\n")
    found, problems = open_all(folder, "places")
    assert [text for _, text in found] == ["2024", "two, 2"]
    assert problems == [
        "img_2.png: gt_img_2.txt: line 1 is not UTF-8; save the file in that encoding",
        "img_3.png: no gt_img_3.txt beside it",
    ]


@pytest.mark.parametrize("content", ["0 0.512 0.43 0.5 0.25\n", "0 0.5 0.4 0.5 0.25\n1 .1 .2 .3 .4\n"])
def test_those_of_things_are_refused(folder, content):
    for stem in WORDS:
        (folder / f"{stem}.txt").write_text(content)
    with pytest.raises(OCRError, match=f"^{folder}: the text files beside the images say where things are, "):
        open_dataset(folder)
    assert items(open_dataset(folder, label_pattern="(?P<text>.+)")) == [("img_1.png", "img_1"), ("img_2.png", "img_2")]


@pytest.mark.parametrize("text", ["1 2 3 4 5", "1,5", "12, 13, 14 and 15"])
def test_numbers_are_texts(folder, text):
    for stem in WORDS:
        (folder / f"{stem}.txt").write_text(text)
    assert items(open_dataset(folder)) == [("img_1.png", text), ("img_2.png", text)]


def test_a_folder_without_any(folder):
    with pytest.raises(
        OCRError, match=f"^{folder}: no text files beside most of its images, as img_1.txt or gt_img_1.t"
    ):
        open_dataset(folder, "places")


@pytest.mark.parametrize("text", ["1,2,30,40,50", "0 .5 .5 .25 .25"])
def test_a_text_like_a_place_is_one_among_others(folder, text):
    (folder / "img_1.txt").write_text(text)
    (folder / "img_2.txt").write_text("7741")
    assert items(open_dataset(folder)) == [("img_1.png", text), ("img_2.png", "7741")]


def test_quotes_in_words(folder):
    (folder / "gt_img_1.txt").write_text('2, 4, 24, 16, "say \\"hi\\""\n')
    (folder / "gt_img_2.txt").write_text('2, 4, 24, 16, "\n')
    assert [text for _, text in items(open_dataset(folder))] == ['say "hi"', '"']


class TestPaddleOCR:
    def lines(self, *words):
        said = [
            {"transcription": word, "points": corners(number), "difficult": False} for number, word in enumerate(words)
        ]
        return json.dumps(said, ensure_ascii=False)

    def test_is_read(self, folder):
        rows = [f"{folder.name}/{stem}.png\t{self.lines(*words, '###')}\n" for stem, words in WORDS.items()]
        path = folder / "Label.txt"
        path.write_text("".join(rows) + f"{folder.name}/img_1.png\t[]\n", encoding="utf-8")
        assert find_format(folder) == find_format(path) == "places"
        for dataset in open_dataset(folder), open_dataset(path), open_dataset(path, "places"):
            assert items(dataset) == [("img_1.png#0", "2024"), ("img_1.png#1", "two, 2"), ("img_2.png#0", "7,5")]
            np.testing.assert_array_equal(dataset.read(2, Rendition(channels=3)), PIXELS[4:16, 2:24])
            assert dataset.where(2) == f"{path}:2: img_2.png"

    @pytest.mark.parametrize(
        "said", ['[{"transcription": "a"', HUGE, '[{"transcription": "a"}]', '[{"points": [1, 2]}]', "[3]"]
    )
    def test_what_is_no_list_of_words(self, folder, said):
        path = folder / "Label.txt"
        path.write_text(f"img_1.png\t{self.lines('2024')}\nimg_2.png\t{said}\n")
        found, problems = open_all(path)
        assert found == [("img_1.png#0", "2024")]
        assert problems == ["Label.txt:2: no JSON with transcription and points of each word behind the name"]

    @pytest.mark.parametrize(
        "points", ["[]", "[[1, 2]]", "[[1, 2], [9, 2]]", "[[1, 1], [1e999, 9]]", "[[1, NaN], [9, 9]]"]
    )
    def test_corners_of_no_rectangle(self, folder, points):
        path = folder / "Label.txt"
        said = f'[{{"transcription": "a", "points": {points}}}]'
        path.write_text(f"img_1.png\t{self.lines('2024')}\nimg_2.png\t{said}\n")
        assert open_all(path)[1] == ["Label.txt:2: a word of img_2.png has no width or no height"]

    def test_a_list_of_texts_is_none(self, folder):
        path = folder / "labels.tsv"
        path.write_text('img_1.png\t["transcription"]\nimg_2.png\t7741\n')
        assert items(open_dataset(folder)) == [("img_1.png", '["transcription"]'), ("img_2.png", "7741")]
