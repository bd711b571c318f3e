"""Lists with a third column, the words that each image may say."""

import json

import pytest

from ocr_lib.errors import OCRError
from ocr_lib.sets.dataset import open_dataset
from tests.sets.standard_sets import write_image

TEXTS = ["7741", "6/85", "9.0", "É", "a;b", "2222"]
ROWS = [(f"{number}.png", text, f"{text} , x,{number}") for number, text in enumerate(TEXTS)]
LISTS = {
    "any.tsv": "".join("\t".join(row) + "\n" for row in ROWS),
    "any.csv": "".join('{},"{}","{}"\n'.format(*row) for row in ROWS),
    "titled.tsv": "image\tlexicon\ttext\n" + "".join(f"{name}\t{words}\t{text}\n" for name, text, words in ROWS),
    "words.json": json.dumps([dict(zip(("file_name", "text", "lexicon"), row)) for row in ROWS]),
    "lists.json": json.dumps(
        [
            {"image": name, "text": text, "lexicon": [text, " x\n", "", str(n), 5]}
            for n, (name, text, _) in enumerate(ROWS)
        ]
    ),
}


@pytest.fixture
def folder(tmp_path):
    for name, *_ in ROWS:
        write_image(tmp_path / name)
    return tmp_path


def write_list(folder, change=lambda name, words: words):
    rows = (f"{name}\t{text}\t{change(name, words)}\n" for name, text, words in ROWS)
    (folder / "a.tsv").write_text("".join(rows), encoding="utf-8")
    return folder / "a.tsv"


@pytest.mark.parametrize("name", LISTS)
def test_are_read(folder, name):
    (folder / name).write_text(LISTS[name], encoding="utf-8")
    for path in folder, folder / name:
        dataset = open_dataset(path, max_problems=0, lexicon="own")
        assert [dataset.item(index).text for index in range(6)] == TEXTS
        assert [dataset.lexicon(index) for index in range(6)] == [[text, "x", str(n)] for n, text in enumerate(TEXTS)]


def test_may_lack_a_text_here_and_there(folder):
    path = write_list(folder, lambda name, words: "a,b" if name == "1.png" else words)
    assert open_dataset(path, lexicon="own").lexicon(1) == ["a", "b"]


def test_that_lack_most_texts_are_none(folder):
    path = write_list(folder, lambda name, words: "a,b")
    with pytest.raises(OCRError, match="a.tsv: lines have 3 columns: name them in a first line, as file_name and text"):
        open_dataset(path)


def test_that_are_not_there(folder):
    path = write_list(folder)
    path.write_text("".join(f"{name}\t{text}\n" for name, text, _ in ROWS), encoding="utf-8")
    with pytest.raises(OCRError, match=r"a.tsv: its images have no lexicons; lists have them in a third column"):
        open_dataset(path, lexicon="own")


def test_two_are_iiit5ks_alone(folder):
    path = write_list(folder)
    with pytest.raises(
        OCRError, match="is no list of IIIT5K, which alone has two lexicons of each image: give --lexic"
    ):
        open_dataset(path, lexicon="own-medium")
