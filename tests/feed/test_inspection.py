"""What is found strange about samples, and what is told of it."""

import logging
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest

from ocr_lib.feed import inspection
from ocr_lib.feed.data import DiskOptions, look
from ocr_lib.feed.inspection import inspect
from ocr_lib.feed.inspection_html import inspection_page
from ocr_lib.recipe.settings import override
from tests.toy import png, toy_recipe

TEXTS = ["abc", "bca", "cab", "acb"] * 5


def write(folder, texts, images=()):
    """Write a data set; images are told apart by numbers, and are one apiece if left out."""
    folder.mkdir(exist_ok=True)
    for number, seed in enumerate(images or range(len(texts))):
        (folder / f"{number:03}.png").write_bytes(png((12, 40), seed))
    rows = (f"{number:03}.png\t{text}\n" for number, text in enumerate(texts))
    (folder / "labels.tsv").write_text("".join(rows), encoding="utf-8")
    return folder


def inspected(folder, validation=None, *settings):
    recipe = toy_recipe(*settings)
    seen = look(DiskOptions(folder, validation, held_out=0.25), recipe, num_workers=1)
    return inspect(seen, override(recipe, {"text.direction": seen.direction}))


def found(*args):
    """Return the messages of findings by their kinds, and the samples'."""
    findings = inspected(*args).findings
    return {each.kind: each.message for each in findings}, {each.kind: each.samples for each in findings}


def test_fine_samples_have_nothing_strange(tmp_path):
    assert found(write(tmp_path, TEXTS)) == ({}, {})


def test_overview(tmp_path):
    write(tmp_path, [*TEXTS[:-1], "ab c\u200b"])
    (tmp_path / "003.png").write_bytes(png((15, 50)))
    seen = inspected(tmp_path)
    assert seen.sizes == {(40, 12): 19, (50, 15): 1}
    assert seen.lengths == {3: 19, 5: 1}
    assert seen.characters == {" ": 1, "a": 20, "b": 20, "c": 20, "\u200b": 1}
    sizes, texts, characters = seen.overview()
    assert sizes == "Images 40 to 50 wide and 12 to 15 high, in pixels"
    assert texts.startswith("Texts of 3 to 5 characters, as '")
    assert characters == "5 characters: SPACE (U+0020) 1, a 20, b 20, c 20, ZERO WIDTH SPACE (U+200B) 1"
    assert seen.overview(3)[2] == "5 characters: a 20 ... SPACE (U+0020) 1, ZERO WIDTH SPACE (U+200B) 1"


def test_is_told_with_the_findings_as_warnings(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(logging.getLogger("ocr_lib"), "propagate", True)
    caplog.set_level(logging.INFO, "ocr_lib")
    inspected(write(tmp_path, [*TEXTS[:-1], "z"])).tell()
    records = {(each.levelname, each.getMessage()): None for each in caplog.records if each.name == inspection.__name__}
    *told, last = records  # once each: there may be two handlers
    assert [level for level, _ in told] == ["INFO"] * 3
    assert last == ("WARNING", "Characters that occur fewer than 5 times: z 1: too seldom to be learned well")


class TestSameImages:
    def test_with_two_labels(self, tmp_path):
        messages, samples = found(write(tmp_path, TEXTS, [*range(19), 2]), write(tmp_path / "v", TEXTS, range(30, 50)))
        (name, text), (other, another) = ((sample.name, sample.text) for sample in samples["several labels"])
        assert {name[-7:], other[-7:]} == {"002.png", "019.png"} and (text, another) == ("cab", "acb")
        told = f"1 image is there with several labels, as {name} 'cab' and {other} 'acb'"
        assert messages == {"several labels": f"{told}: trained on with each, so correct them"}

    def test_with_the_same_label(self, tmp_path):
        folder = write(tmp_path, TEXTS, [*range(18), 2, 3])
        messages, samples = found(folder, write(tmp_path / "v", TEXTS, range(30, 50)))
        assert list(messages) == ["copies"]
        assert messages["copies"].startswith("2 images are there already with the same label, as ")
        assert [sample.name[-7:] for sample in samples["copies"]] == ["018.png", "019.png"]

    def test_in_validation_data_too(self, tmp_path):
        folder, other = write(tmp_path / "t", TEXTS), write(tmp_path / "v", TEXTS[:5], [50, 3, 51, 52, 4])
        messages, samples = found(folder, other)
        told = f"2 images to validate on are trained on as well, as {other}/labels.tsv:2: 001.png"
        assert messages["in both sets"] == f"{told}: figures will look better than they are"
        assert [sample.dataset.item(sample.number).name for sample in samples["in both sets"]] == ["001.png", "004.png"]

    def test_twice_in_validation_data_alone_are_no_matter_of_training(self, tmp_path):
        folder, other = write(tmp_path / "t", TEXTS), write(tmp_path / "v", TEXTS[:5], [50, 51, 52, 53, 50])
        assert "in both sets" not in found(folder, other)[0]

    def test_that_were_held_out_are_not_validated_on(self, tmp_path):
        folder = write(tmp_path, TEXTS, [number % 12 for number in range(20)])
        recipe = toy_recipe()
        seen = look(DiskOptions(folder, held_out=0.25), recipe, num_workers=1)
        trained = set(seen.train.columns["digest"].tolist())
        assert trained.isdisjoint(seen.validation.columns["digest"].tolist())
        assert len(seen.train.indices) == 15 and len(seen.repeated) + len(seen.validation.indices) == 5
        message = next(each.message for each in inspect(seen, recipe).findings if each.kind == "held out twice")
        assert message.startswith(f"{len(seen.repeated)} images held out are trained on as well: not validated on")

    def test_if_nothing_else_was_held_out_they_are_validated_on(self, tmp_path):
        seen = look(DiskOptions(write(tmp_path, TEXTS, [0] * 20), held_out=0.25), toy_recipe(), num_workers=1)
        assert len(seen.validation.indices) == 5 and seen.repeated == []
        assert "in both sets" in {each.kind for each in inspect(seen, toy_recipe()).findings}


class TestLabels:
    @pytest.mark.parametrize(
        "texts, what",
        [
            (["abc"] * 20, "all the same, as 'abc'"),
            ([f"{number:04}" for number in range(1, 21)], "numbers in order, each once, as '0001'"),
            ([f"ab_{number:032x}" for number in range(20)], "hexadecimal numbers, or end in such"),
            (["12345678-1234-1234-1234-123456789abc"] * 19 + ["x"], "hexadecimal numbers, or end in such"),
        ],
    )
    def test_that_are_none(self, tmp_path, texts, what):
        messages, _ = found(write(tmp_path, texts), None, ("image.width", 400))
        assert messages["labels"].startswith(f"labels are {what}")
        assert messages["labels"].endswith("if that is not what images say, give --label-pattern or a list")

    @pytest.mark.parametrize(
        "texts",
        [
            [str(number * number) for number in range(20)],
            [f"{number:04}" for number in range(5)],  # too few to say
            [f"{number * 7919:08x}" for number in range(20)],  # eight digits may well be what is to be read
        ],
    )
    def test_that_may_be_some(self, tmp_path, texts):
        assert "labels" not in found(write(tmp_path, texts), None, ("image.width", 400))[0]

    def test_of_either_case(self, tmp_path):
        messages, samples = found(write(tmp_path, [*TEXTS[:14], *map(str.upper, TEXTS[14:])]))
        assert messages["case"] == (
            "6 labels are in capitals and 14 in small letters: text.case=lower or upper makes them one"
        )
        assert all(sample.text.isupper() for sample in samples["case"])

    @pytest.mark.parametrize("texts", [["aB", "Ab", "AB", "ab"] * 5, ["a", "B"] * 10, ["12", "34"] * 10, ["ab1"] * 20])
    def test_whose_case_tells_them_apart(self, tmp_path, texts):
        assert "case" not in found(write(tmp_path, texts))[0]

    def test_characters_without_a_shape(self, tmp_path):
        texts = [*TEXTS[:10], *(f"a\u200bb{c}" for c in "\u200b\u00adabcabcab")]
        messages, samples = found(write(tmp_path, texts), None, ("image.width", 60))
        assert messages["without a shape"] == (
            "labels have characters without a shape: SOFT HYPHEN (U+00AD) in 1, ZERO WIDTH SPACE (U+200B) in 10: "
            "text.invisible=drop leaves them out"
        )
        assert all("\u200b" in sample.text for sample in samples["without a shape"])
        assert "without a shape" not in found(tmp_path, None, ("text.invisible", "drop"))[0]

    def test_rare_characters_the_rarest_first(self, tmp_path):
        texts = [*TEXTS[:12], *["xa", "ya"] * 3, "za", "ya"]
        messages, samples = found(write(tmp_path, texts))
        told = "characters that occur fewer than 5 times: z 1, x 3, y 4: too seldom to be learned well"
        assert messages["rare"] == told
        assert len(samples["rare"]) == 8


def test_contrast_that_only_colour_has(tmp_path):
    write(tmp_path, TEXTS)
    image = np.full((12, 40, 3), (0, 0, 128), np.uint8)
    image[3:9, 10:30] = (0, 65, 0)  # of the same luminance
    cv2.imwrite(str(tmp_path / "004.png"), image)
    messages, samples = found(tmp_path)
    assert messages["contrast in colour"].startswith("1 image has hardly any contrast in grey, as ")
    assert messages["contrast in colour"].endswith("004.png: --set image.channels=3 reads colours")
    assert len(samples["contrast in colour"]) == 1
    assert found(tmp_path, None, ("image.channels", 3)) == ({}, {})


class Page(HTMLParser):
    """Checks that elements nest, and gathers tags and text."""

    def __init__(self, source):
        super().__init__()
        self.open, self.tags, self.text = [], [], ""
        self.feed(source)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_page(tmp_path):
    seen = inspected(write(tmp_path, [*TEXTS[:-1], "<i>&z"]), None, ("image.width", 60))
    (tmp_path / "000.png").unlink()
    page = Page(inspection_page(seen, "of <me>", ["a.png: broken"], ["so & so"]))
    for told in (
        "of <me>",
        "Left out (1)",
        "a.png: broken",
        "so & so",
        "<i>&z",
        "Rare",
        "Characters that occur",
        "Samples",
    ):
        assert told in page.text
    assert page.text.index("a.png: broken") < page.text.index("Rare") < page.text.index("Samples")
    assert "No such file" in page.text  # the image that is gone by now
    assert page.tags.count("img") == sum(len(each.samples) for each in seen.findings) + len(seen.examples) - 1
