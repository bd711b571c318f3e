"""Data sets of image files, in every format that they come in."""

import contextlib
import os
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ocr_lib.errors import OCRError
from ocr_lib.sets.dataset import open_dataset
from ocr_lib.sets.labelled import clean_label
from tests.sets.opened import images, items, open_all

UNPARSABLE = "not the path of an image and its text"


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "set"


def told(name, faults):
    """Return the faults of a file, by its lines, as they are told."""
    return [f"{name}:{line}: {fault}" for line, fault in faults.items()]


class TestNames:
    def test_the_name_is_the_text(self, folder):
        images(folder, "2b827.png", "2b827_3.png", "Auto bahn.JPG", "a.b.png", "x_y.png", "x_1_2.png", "_7.png")
        (folder / "notes.txt").touch()
        (folder / "folder.png").mkdir()
        assert open_all(folder) == (
            [
                ("2b827.png", "2b827"),
                ("2b827_3.png", "2b827"),
                ("Auto bahn.JPG", "Auto bahn"),
                ("_7.png", "_7"),
                ("a.b.png", "a.b"),
                ("x_1_2.png", "x_1"),
                ("x_y.png", "x_y"),
            ],
            [],
        )

    def test_problems(self, folder):
        images(folder, "a.png", " .png", "a\x01b.png", "a\tb.png")
        (folder / "a.png").rename(folder / os.fsdecode(b"\xff.png"))
        found, problems = open_all(folder)
        assert found == [("a\tb.png", "a b")]
        assert problems == [
            " .png: the label is empty",
            "a\x01b.png: the label has the control character U+0001",
            r"\udcff.png: the name is not UTF-8",
        ]


class TestLabels:
    @pytest.mark.parametrize("suffix, separator", [("tsv", "\t"), ("csv", ",")])
    @pytest.mark.parametrize("end", ["\n", "\r\n"])
    @pytest.mark.parametrize("start", ["", "\ufeff"])
    def test_the_folder_or_the_file(self, folder, suffix, separator, end, start):
        images(folder, "a.png", "b.jpg", "sub/c.png")
        lines = [
            f"{name}{separator}{text}" for name, text in (("b.jpg", "1"), ("a.png", "é\u2028ü"), ("sub/c.png", "3"))
        ]
        path = folder / f"labels.{suffix}"
        path.write_bytes((start + end.join([*lines, ""])).encode())
        expected = [("b.jpg", "1"), ("a.png", "é ü"), ("sub/c.png", "3")], []
        assert open_all(folder) == open_all(path) == open_all(path, "labels") == open_all(folder, "labels") == expected

    def test_csv_has_quotes(self, folder):
        images(folder, "a.png", "b,c.png", "d.png")
        (folder / "labels.csv").write_text(
            'file_name,text\na.png,"1,000 ""new"" $"\n\n"b,c.png",x\nd.png,"two\nlines"\n'
        )
        dataset = open_dataset(folder)
        assert items(dataset) == [("a.png", '1,000 "new" $'), ("b,c.png", "x"), ("d.png", "two lines")]
        assert dataset.where(1) == f"{folder}/labels.csv:4: b,c.png"

    def test_a_quote_that_is_not_closed(self, folder):
        names = [f"{number}.png" for number in range(4)]
        images(folder, *names)
        (folder / "labels.csv").write_text('0.png,"1\n1.png,"2"3\n2.png,"4\n\n5"\n3.png,6\n')
        found, problems = open_all(folder)
        assert found == [("2.png", "4 5"), ("3.png", "6")]
        assert [problem.split(": ")[0] for problem in problems] == ["labels.csv:1", "labels.csv:2", "0.png", "1.png"]

    def test_problems(self, folder):
        images(folder, "a.png", "b.png", "c.png", "unlabelled.png")
        (folder / "labels.tsv").write_bytes(
            b"a.png\t\xc3\xa9\nb.png\nb.png\t \nb.png\t2\n\ngone.png\t3\na.png\t4\n./a.png\t1\n"
            b"c.png\t\xff\nc.png\ta\x07\n\tx\n"
        )
        faults = {
            2: UNPARSABLE,
            3: "b.png: the label is empty",
            4: "b.png is listed again, with another text",
            6: "no image gone.png",
            7: "a.png is listed again, with another text",
            8: "a.png is listed again, with another text",
            9: "not UTF-8",
            10: "c.png: the label has the control character U+0007",
            11: UNPARSABLE,
        }
        expected = [*told("labels.tsv", faults), "unlabelled.png: not in labels.tsv"]
        assert open_all(folder) == ([("a.png", "é")], expected)

    def test_problems_of_csv(self, folder):
        images(folder, "a.png", "b.png")
        (folder / "labels.csv").write_bytes(b'a.png,\xc3\xa9\nb.png\nb.png,"2",3\nb.png,\xff\n,x\nb.png,4,5\n')
        found, problems = open_all(folder)
        assert found == [("a.png", "é"), ("b.png", "4,5")]
        assert [problem.split(": ")[0] for problem in problems] == [f"labels.csv:{line}" for line in (2, 3, 4, 5)]

    def test_other_lists_need_not_have_all_images(self, folder):
        images(folder, "a.png", "b.png")
        (folder / "train.tsv").write_text("a.png\t1\n")
        assert open_all(folder / "train.tsv") == ([("a.png", "1")], [])

    def test_a_name_that_is_too_long(self, folder):
        images(folder, "a.png")
        (folder / "labels.tsv").write_text(f"a.png\t1\n{'b' * 5000}\t2\n\0\t3\n")
        assert [problem[:23] for problem in open_all(folder)[1]] == [
            "labels.tsv:2: no image ",
            "labels.tsv:3: no image ",
        ]

    @given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=5))
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_any_label(self, tmp_path, texts):
        texts = ["first", *(text.replace("\n", " ") for text in texts)]
        names = [f"{number}.png" for number in range(len(texts))]
        images(tmp_path, *names)
        (tmp_path / "all.tsv").write_bytes("".join(f"{name}\t{t}\n" for name, t in zip(names, texts)).encode())
        expected = []
        for name, text in zip(names, texts):
            with contextlib.suppress(OCRError):
                expected.append((name, clean_label(text)))
        assert open_all(tmp_path / "all.tsv")[0] == expected


class TestOthers:
    def test_images_of_formats_that_are_not_read(self, folder):
        images(folder, "ab.png", "cd.png")
        for name in "gh.HEIC", "ij.avif", "notes.pdf":
            (folder / name).write_bytes(b"\0\0\0\x18ftypheic" + bytes(99))
        dataset = open_dataset(folder)
        assert items(dataset) == [("ab.png", "ab"), ("cd.png", "cd"), ("gh.HEIC", "gh"), ("ij.avif", "ij")]
        with pytest.raises(OCRError, match="gh.HEIC: AVIF or HEIC is not read: save it as PNG or JPEG"):
            dataset.read(2)

    def test_images_in_folders_within_are_told(self, folder, caplog):
        images(folder, "ab.png", "within/cd.png", "within/deep/ef.png")
        assert len(open_dataset(folder)) == 1
        assert f"{folder}: 2 images in folders within are not read: give such a folder, or" in caplog.text
        caplog.clear()
        assert len(open_dataset(folder, label_pattern="(?:^|/)(?P<text>[a-z]+)$")) == 3
        assert caplog.text == ""

    @pytest.mark.parametrize("ending, told", [(".heic", "end in .heic"), ("", "have no ending")])
    def test_a_folder_of_others(self, folder, ending, told):
        folder.mkdir()
        for name in "abc":
            (folder / f"{name}{ending}").write_bytes(b"\0\0\0\x18ftypheic")
        with pytest.raises(
            OCRError, match=f"no labelled image in this folder; 3 of 3 files {told}: images end in .bmp, "
        ):
            open_dataset(folder)


class TestFolders:
    def test_a_pattern_with_a_slash_finds_labels_in_paths(self, folder):
        images(folder, "ab/1.png", "ab/2.png", "part.1/cd/1.png", "lone.png")
        pattern = r"(?:^|/)(?P<text>[a-z]+)/\d$"
        dataset = open_dataset(folder, label_pattern=pattern, max_problems=0.5)
        assert items(dataset) == [("ab/1.png", "ab"), ("ab/2.png", "ab"), ("part.1/cd/1.png", "cd")]
        assert dataset.problems == [f"{folder}/lone.png: --label-pattern {pattern} finds no label"]
        assert [dataset.read(index).shape for index in range(3)] == [(10, 20), (10, 21), (10, 22)]

    def test_one_without_is_for_the_names_of_the_folder(self, folder):
        images(folder, "ab/1.png", "2.png")
        assert items(open_dataset(folder, label_pattern="(?P<text>.+)")) == [("2.png", "2")]

    def test_the_way_is_told(self, folder):
        images(folder, "ab/1.png", "cd/1.png")
        advice = r"or --label-pattern '(\S+)' if each folder is called by what its images say"
        with pytest.raises(OCRError, match=advice) as caught:
            open_dataset(folder)
        pattern = re.search(advice, str(caught.value))[1]
        assert [text for _, text in items(open_dataset(folder, label_pattern=pattern))] == ["ab", "cd"]


class TestLists:
    def test_list(self, folder):
        images(folder, "images/a.png", "images/b.png", "c.png")
        (folder / "train.txt").write_text("images/a.png,One, two\nb.png,3\n\nc,4\n")
        expected = [("images/a.png", "One, two"), ("images/b.png", "3"), ("c.png", "4")], []
        assert open_all(folder / "train.txt") == open_all(folder / "train.txt", "list") == expected

    def test_problems_of_a_list(self, folder):
        images(folder, "a.png", "b.png")
        (folder / "list.txt").write_bytes(b"a.png,\xc3\xa9\nno comma\nb.png,\xfe\nname,2\nb.png,\n")
        faults = {2: UNPARSABLE, 3: "not UTF-8", 4: "no image name", 5: "b.png: the label is empty"}
        assert open_all(folder) == ([("a.png", "é")], told("list.txt", faults))

    def test_tab(self, folder):
        images(folder, "test/1_1.png", "test/2_1.png")
        (folder / "test.txt").write_text("test/1_1.png\tA,B\ntest/2_1.png\tC D\n")
        assert open_all(folder / "test.txt") == ([("test/1_1.png", "A,B"), ("test/2_1.png", "C D")], [])

    def test_synth90k(self, folder):
        names = ["2425/1/115_Lube_45484.jpg", "2425/1/114_Spencerian_73323.jpg", "1/2/3_a'b_4.jpg"]
        images(folder, *names)
        path = folder / "annotation_train.txt"
        path.write_text("./2425/1/115_Lube_45484.jpg 45484\n./2425/1/114_Spencerian_73323.jpg 73323\n1/2/3_a'b_4.jpg\n")
        assert open_all(path) == (list(zip(names, ["Lube", "Spencerian", "a'b"])), [])
        path.write_text(f"./{names[0]} 45484\n./2425/1/Lube.jpg 1\n./9/9_gone_9.jpg 9\n")
        faults = {2: UNPARSABLE, 3: "no image ./9/9_gone_9.jpg"}
        assert open_all(path)[1] == told("annotation_train.txt", faults)

    def test_paths_from_elsewhere(self, folder, tmp_path):
        images(tmp_path, "other/a.png", "b.png")
        folder.mkdir()
        (folder / "list.txt").write_text(f"../other/a.png,1\n{tmp_path}/b.png,2\n")
        dataset = open_dataset(folder)
        assert items(dataset) == [("../other/a.png", "1"), (f"{tmp_path}/b.png", "2")]
        assert [dataset.read(index).shape for index in range(2)] == [(10, 20), (10, 21)]


class TestReading:
    def test_images_are_those_of_the_names(self, folder):
        names = [f"{number}.png" for number in range(30)]
        images(folder, *names)
        dataset = open_dataset(folder)
        for index in range(30):
            number = int(dataset.item(index).text)
            assert dataset.read(index).shape == (10, 20 + number)
            assert dataset.read_file(index) == (folder / names[number]).read_bytes()

    @pytest.mark.parametrize(
        "change, fault",
        [
            (lambda path: path.write_text("This is a letter.\n"), "no image that OpenCV can read"),
            (lambda path: path.write_bytes(path.read_bytes()[:50]), "cut off or damaged"),
            (lambda path: path.write_bytes(b""), "the file is empty"),
            (lambda path: path.unlink(), "No such file"),
        ],
    )
    def test_an_image_that_can_not_be_read_is_told_with_its_line(self, folder, change, fault):
        images(folder, "a.png", "b.png")
        (folder / "list.txt").write_text("a.png,1\n\nb.png,2\n")
        dataset = open_dataset(folder)
        change(folder / "b.png")
        assert dataset.read(0).shape == (10, 20)
        for read in dataset.read, dataset.read_file:
            with pytest.raises(OCRError, match=f"^{folder}/list.txt:3: b.png: .*{fault}"):
                read(1)

    @pytest.mark.parametrize("index", [2, -3, 10**6])
    def test_no_such_index(self, folder, index):
        images(folder, "a.png", "b.png")
        dataset = open_dataset(folder)
        for function in dataset.item, dataset.read, dataset.where:
            with pytest.raises(IndexError):
                function(index)
