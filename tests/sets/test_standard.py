"""The standard sets of scene text, in files as they are distributed."""

import numpy as np
import pytest

from ocr_lib.errors import OCRError
from ocr_lib.images.pixels import Rendition
from ocr_lib.sets.dataset import find_format, open_dataset
from tests.sets.standard_sets import (
    ICDAR2003,
    PIXELS,
    SVT,
    cells,
    structs,
    write_icdar2003,
    write_iiit5k,
    write_image,
    write_mat,
    write_svt,
)


def items(dataset):
    return [tuple(dataset.item(index)) for index in range(len(dataset))]


def lexicons(path, lexicon):
    dataset = open_dataset(path, lexicon=lexicon)
    return [dataset.lexicon(index) for index in range(len(dataset))]


class TestIIIT5K:
    def test_is_read(self, tmp_path):
        path = write_iiit5k(tmp_path)
        assert find_format(path) == find_format(tmp_path) == "iiit5k"
        for dataset in open_dataset(path), open_dataset(tmp_path), open_dataset(path, "iiit5k"):
            assert items(dataset) == [("train/1_1.png", "You"), ("train/2_1.png", "354")]
            assert dataset.read(1).shape == (40, 60)
            assert dataset.lexicon(0) == []

    def test_lexicons(self, tmp_path):
        path = write_iiit5k(tmp_path, medium=["OPEN", "24"])
        assert lexicons(path, "own") == [["YOU", "PRIVATE"], ["354", "ROOM", "PARKING"]]
        assert lexicons(path, "own-medium") == [[*words, "OPEN", "24"] for words in lexicons(path, "own")]

    def test_parts(self, tmp_path):
        for part in "train", "test":
            write_iiit5k(tmp_path, part)
        for parts, name in (("train",), "train"), (("val", "test"), "test"), (("test", "val"), "test"):
            assert open_dataset(tmp_path, parts=parts).item(0).name == f"{name}/1_1.png"
        with pytest.raises(
            OCRError, match=r"has testdata.mat, traindata.mat: give the one to read as the path, or --spl"
        ):
            open_dataset(tmp_path)

    def test_a_part_that_is_not_there(self, tmp_path):
        write_iiit5k(tmp_path)
        with pytest.raises(OCRError, match=f"^{tmp_path} has traindata.mat: give the one"):
            open_dataset(tmp_path, parts=("test", "val"))

    def test_lists_of_characters(self, tmp_path):
        entries = structs({"ImgName": "train/1_1.png", "chars": "You", "charBB": np.ones((3, 4))})
        write_image(tmp_path / "train" / "1_1.png")
        path = write_mat(tmp_path / "trainCharBound.mat", trainCharBound=entries)
        assert items(open_dataset(path)) == items(open_dataset(tmp_path)) == [("train/1_1.png", "You")]
        write_iiit5k(tmp_path)
        assert len(open_dataset(tmp_path)) == 2
        with pytest.raises(OCRError, match="its images have no lexicons: no smallLexi among ImgName, chars, charBB"):
            open_dataset(path, lexicon="own")

    def test_an_image_that_is_missing(self, tmp_path):
        path = write_iiit5k(tmp_path)
        (tmp_path / "train" / "2_1.png").unlink()
        with pytest.raises(OCRError, match=f"1 of 2 entries can't be used.*{path}:2: no image train/2_1.png"):
            open_dataset(path)

    @pytest.mark.parametrize(
        "arrays, told",
        [
            ({"a": 1.0}, r"it has a \(no struct\)"),
            ({"a": structs({"ImgName": "1.png"})}, r"it has a \(ImgName\)"),
            ({"a": structs({"GroundTruth": "x"}), "b": cells(["x"])}, r"it has a \(GroundTruth\), b \(no struct\)"),
            ({}, "it has nothing"),
        ],
    )
    def test_fields_that_are_lacking(self, tmp_path, arrays, told):
        path = write_mat(tmp_path / "a.mat", **arrays)
        with pytest.raises(
            OCRError, match=f"^{path}: no array of structs with the fields ImgName and GroundTruth.*{told}$"
        ):
            open_dataset(path)

    def test_no_such_file(self, tmp_path):
        path = tmp_path / "traindata.mat"
        path.write_text("train/1_1.png\tYou\n")
        with pytest.raises(OCRError, match=f"^{path}: no .mat file of MATLAB 5 to 7.2"):
            open_dataset(path)
        whole = write_iiit5k(tmp_path).read_bytes()
        path.write_bytes(whole[:-20])
        with pytest.raises(OCRError, match=f"^{path}: the file is cut off or damaged$"):
            open_dataset(path)


class TestSVT:
    def test_is_read(self, tmp_path):
        path = write_svt(tmp_path)
        assert find_format(path) == find_format(tmp_path) == "svt"
        for dataset in open_dataset(path), open_dataset(tmp_path), open_dataset(path, "svt"):
            assert items(dataset) == [
                ("img/14_03.jpg#0", "LIVING"),
                ("img/14_03.jpg#1", "ROOM"),
                ("img/15_01.jpg#0", "LULA"),
            ]
            assert dataset.where(1) == f"{path}:12: img/14_03.jpg"

    def test_words_are_cut_out(self, tmp_path):
        dataset = open_dataset(write_svt(tmp_path))
        colours = Rendition(channels=3)
        np.testing.assert_array_equal(dataset.read(0, colours), PIXELS[8:18, 5:25])
        np.testing.assert_array_equal(dataset.read(1, colours), PIXELS[20:32, 28:58])
        np.testing.assert_array_equal(dataset.read(2, colours), PIXELS[33:, :18])  # over two edges
        assert dataset.read(0).shape == (10, 20)

    def test_lexicons(self, tmp_path):
        assert lexicons(write_svt(tmp_path), "own") == [["LIVING", "ROOM", "THEATERS"]] * 2 + [["LULA", "CAFÉ"]]

    def test_that_of_icdar_2003(self, tmp_path):
        xml = SVT.replace('x="5" y="8">', 'x="5.0" y="8.4" offset="0.0" rotation="0.0" userName="admin">')
        assert open_dataset(write_svt(tmp_path, xml=xml)).read(0, Rendition(channels=3)).shape == (10, 20, 3)

    @pytest.mark.parametrize(
        "box", ['x="51" y="8"', 'x="-11" y="8"', 'x="5" y="36"', 'x="900" y="900"', 'x="-60" y="-60"']
    )
    def test_a_rectangle_outside_its_image(self, tmp_path, box):
        dataset = open_dataset(write_svt(tmp_path, xml=SVT.replace('x="5" y="8"', box)))
        x, y = box.split('"')[1::2]
        with pytest.raises(
            OCRError, match=f":9: img/14_03.jpg: the rectangle at {x}, {y}, 20 x 10, is outside the image of"
        ):
            dataset.read(0)

    @pytest.mark.parametrize(
        "box", ['x="5"', 'x="left" y="8"', 'x="nan" y="8"', 'x="inf" y="8"', 'x="1e30" y="8"', 'width="0" x="5" y="8"']
    )
    def test_a_rectangle_that_is_none(self, tmp_path, box):
        xml = SVT.replace('width="20" x="5" y="8"', box if "width" in box else f'width="20" {box}')
        dataset = open_dataset(write_svt(tmp_path, xml=xml), max_problems=0.5)
        assert len(dataset) == 2
        assert dataset.problems[0].endswith(":9: a word of img/14_03.jpg whose rectangle is not x, y, width and height")

    def test_an_image_that_is_missing(self, tmp_path):
        path = write_svt(tmp_path)
        (tmp_path / "img" / "15_01.jpg").unlink()
        assert open_dataset(path, max_problems=0.5).problems == [f"{path}:22: no image img/15_01.jpg"]

    def test_a_word_without_a_text(self, tmp_path):
        dataset = open_dataset(write_svt(tmp_path, xml=SVT.replace("<tag>LIVING</tag>", "")), max_problems=0.5)
        assert items(dataset)[0] == ("img/14_03.jpg#1", "ROOM")
        assert dataset.problems[0].endswith(":9: img/14_03.jpg: the label is empty")

    def test_one_rectangle_twice(self, tmp_path):
        xml = SVT.replace('height="12" width="30" x="28" y="20"', 'height="10" width="20" x="5" y="8"')
        with pytest.raises(OCRError, match="img/14_03.jpg is listed again, with another text"):
            open_dataset(write_svt(tmp_path, xml=xml))


class TestICDAR2003:
    def test_is_read(self, tmp_path):
        path = write_icdar2003(tmp_path)
        assert find_format(path) == find_format(tmp_path) == "icdar2003"
        for dataset in open_dataset(path), open_dataset(tmp_path), open_dataset(path, "icdar2003"):
            assert items(dataset) == [("word/1/1.jpg", "self"), ("word/1/2.jpg", "Q&A"), ("word/2/3.jpg", "£5")]
            assert dataset.read(2).shape == (40, 60)

    def test_an_image_that_is_missing(self, tmp_path):
        path = write_icdar2003(tmp_path)
        (tmp_path / "word" / "2" / "3.jpg").unlink()
        assert open_dataset(path, max_problems=0.5).problems == [f"{path}:5: no image word/2/3.jpg"]

    def test_it_has_no_lexicons(self, tmp_path):
        path = write_icdar2003(tmp_path)
        with pytest.raises(OCRError, match=f"^{path}: its images have no lexicons; lists have them in a third column"):
            open_dataset(path, lexicon="own")


class TestICDAR2013:
    def test_is_a_list(self, tmp_path):
        for number in range(1, 4):
            write_image(tmp_path / f"word_{number}.png")
        texts = 'word_1.png, "Tiredness"\r\nword_2.png, "say \\"kids\\""\r\nword_3.png, "a, b"\r\n'
        (tmp_path / "gt.txt").write_text(texts, encoding="utf-8-sig")
        found = [("word_1.png", "Tiredness"), ("word_2.png", 'say "kids"'), ("word_3.png", "a, b")]
        assert items(open_dataset(tmp_path)) == items(open_dataset(tmp_path / "gt.txt")) == found
        assert find_format(tmp_path) == "labels"
        boxes = "".join(f"word_{number}.png,268,82,335,92,332,164,264,142\r\n" for number in range(1, 4))
        (tmp_path / "coords.txt").write_text(boxes, encoding="utf-8-sig")  # as ICDAR 2015 has it
        assert items(open_dataset(tmp_path)) == found


class TestIAM:
    LINES = (
        "#--- lines.txt ---#\n#\n# iam database line information\n#\n"
        "a01-000u-00 ok 154 19 408 746 1661 89 A|MOVE|to|stop|M Ps|,|from\n"
        "b02-001-00 err 156 -1 395 932 1850 105 Labour|life\n"
    )
    WORDS = (
        "#--- words.txt ---#\na01-000u-00-00 ok 154 408 768 27 51 AT A\na01-000u-00-01 err 154 507 766 213 48 NN MOVE\n"
        "a01-000u-00-02 ok 154 -1 -1 -1 -1 NPTS M Ps\n"
    )
    SENTENCES = (
        "# sentences\na01-000u-s00-00 0 ok 154 19 408 746 1661 89 A|MOVE\na01-000u-s00-01 1 ok 154 19 4 7 1 8 to\n"
    )

    def write(self, folder, listing, content, images="{kind}/{group}/{form}/{name}.png"):
        path = folder / listing
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        for name in (line.split()[0] for line in content.splitlines() if line[0] != "#"):
            form = name.rsplit("-", 1 + ("words" in listing or "-s" in name))[0]
            write_image(folder / images.format(kind=path.stem, group=name[:3], form=form, name=name))
        return path

    @pytest.mark.parametrize(
        "listing, images",
        [
            ("ascii/lines.txt", "{kind}/{group}/{form}/{name}.png"),
            ("lines.txt", "{kind}/{group}/{form}/{name}.png"),
            ("lines.txt", "{group}/{form}/{name}.png"),
            ("lines.txt", "{name}.png"),
        ],
    )
    def test_lines(self, tmp_path, listing, images):
        path = self.write(tmp_path, listing, self.LINES, images)
        texts = ["A MOVE to stop M Ps , from", "Labour life"]
        assert find_format(path) == find_format(path.parent) == "iam"
        for dataset in open_dataset(path), open_dataset(path.parent), open_dataset(path, "iam"):
            assert [text for _, text in items(dataset)] == texts
            assert dataset.where(1).startswith(f"{path}:6: ")
            assert dataset.read(1).shape == (40, 60)

    def test_lines_without_comments(self, tmp_path):
        self.write(tmp_path, "lines.txt", self.LINES[self.LINES.index("a01") :], "{name}.png")
        assert [text for _, text in items(open_dataset(tmp_path))] == ["A MOVE to stop M Ps , from", "Labour life"]

    def test_words_that_were_cut_out_wrongly_are_left_out(self, tmp_path):
        path = self.write(tmp_path, "words.txt", self.WORDS)
        assert [text for _, text in items(open_dataset(path))] == ["A", "M Ps"]

    def test_sentences(self, tmp_path):
        path = self.write(tmp_path, "sentences.txt", self.SENTENCES)
        assert [text for _, text in items(open_dataset(path))] == ["A MOVE", "to"]

    def test_several_lists(self, tmp_path):
        self.write(tmp_path, "lines.txt", self.LINES)
        self.write(tmp_path, "words.txt", self.WORDS)
        with pytest.raises(OCRError, match="has lines.txt, words.txt: give the one to read as the path"):
            open_dataset(tmp_path)

    def test_lines_that_say_nothing(self, tmp_path):
        path = self.write(tmp_path, "lines.txt", self.LINES + "b02-001-01 ok 156\nb02-001-02 ok 1 2 3 4 5 6 gone\n")
        (tmp_path / "lines" / "b02" / "b02-001" / "b02-001-02.png").unlink()
        dataset = open_dataset(path, max_problems=0.5)
        assert dataset.problems == [
            f"{path}:7: not what is called so, where it is, and its text",
            f"{path}:8: no image ../lines/b02/b02-001/b02-001-02.png",
        ]

    def test_lists_of_other_names_are_none(self, tmp_path):
        write_image(tmp_path / "a01.png")
        (tmp_path / "lines.txt").write_text("a01.png ok 154 19\n")
        assert items(open_dataset(tmp_path)) == [("a01.png", "ok 154 19")]


class TestXML:
    @pytest.mark.parametrize("format_, xml", [("svt", SVT), ("icdar2003", ICDAR2003)])
    def test_cut_off(self, tmp_path, format_, xml):
        path = tmp_path / "test.xml"
        path.write_text(xml[:-30], encoding="latin-1")
        for name in None, format_:
            with pytest.raises(OCRError, match=f"^{path}: damaged, or no XML: unclosed token: line "):
                open_dataset(path, name)

    @pytest.mark.parametrize("content", ["", "word.png\ta\n", "<tagset", "<tagset><image></tagset>", "\0"])
    def test_none(self, tmp_path, content):
        path = tmp_path / "test.xml"
        path.write_text(content)
        with pytest.raises(OCRError, match=f"^{path}: damaged, or no XML: "):
            open_dataset(path, "svt")

    def test_of_something_else(self, tmp_path):
        path = tmp_path / "test.xml"
        path.write_text("<annotation><filename>1.jpg</filename></annotation>")
        with pytest.raises(OCRError, match="XML of <annotation>, where <imagelist> is expected"):
            open_dataset(path, "icdar2003")
        with pytest.raises(OCRError, match="no list of images and their texts"):
            open_dataset(path)

    def test_entities_are_refused(self, tmp_path):
        path = tmp_path / "test.xml"
        path.write_text('<!DOCTYPE t [\n<!ENTITY a "aaaa">\n]>\n<tagset>&a;</tagset>')
        with pytest.raises(OCRError, match=f"^{path}: line 2 declares the entity a: write out what it stands for$"):
            open_dataset(path, "svt")

    def test_a_folder_of_annotations_is_read_by_names(self, tmp_path):
        for number in range(30):
            write_image(tmp_path / f"text{number}.png")
            (tmp_path / f"text{number}.xml").write_text("<annotation/>")
        assert find_format(tmp_path) == "names"
