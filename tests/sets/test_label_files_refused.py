"""Files that may say what images do, and paths that say nothing: refused with what to do."""

import json

import pytest

from ocr_lib.errors import OCRError
from ocr_lib.sets.dataset import find_format, open_dataset
from tests.sets.lists import LISTS, NAMES, PAIRS, PNG, TEXTS, lines, read, write_images


@pytest.fixture
def folder(tmp_path):
    return write_images(tmp_path)


class TestNeverNamesInSilence:
    @pytest.mark.parametrize(
        "name, content",
        [
            ("labels.txt", "\n".join(TEXTS)),
            ("texts.txt", "\n".join(TEXTS)),
            ("labels.json", "{"),
            ("gt.txt", "a.png,1\nb.png,2\n"),
            ("any.csv", "a.png,1\nb.png,2\n"),
            ("labels.yml", "images:\n- file: a.png\n"),
            ("labels.txt", ""),
        ],
    )
    def test_a_file_that_may_have_them(self, tmp_path, name, content):
        for number in range(6):
            (tmp_path / f"text{number}.png").write_bytes(PNG)
        (tmp_path / name).write_text(content, encoding="utf-8")
        with pytest.raises(OCRError, match=f"{name} may have the labels.*--format names"):
            open_dataset(tmp_path)
        assert len(open_dataset(tmp_path, "names")) == len(open_dataset(tmp_path, label_pattern="(?P<text>.+)")) == 6

    @pytest.mark.parametrize("name", ["export.json", "export.xml", "export.txt", "export"])
    def test_one_that_names_the_images_in_a_way_of_its_own(self, folder, name):
        tasks = [{"data": {"image": f"/upload/{name}"}, "result": [{"value": [text]}]} for name, text in PAIRS.items()]
        content = json.dumps(tasks) if name.endswith("json") else f"<images>{lines('<image file={n!r} tag={t!r}/>')}"
        (folder / name).write_text(content if name != "export.txt" else repr(PAIRS), encoding="utf-8")
        with pytest.raises(OCRError, match=f"{name} may have the labels, but is no list of names and texts; make it"):
            open_dataset(folder)

    def test_one_that_names_two_images_at_once(self, folder):
        rows = [{"whole": name, "small": NAMES[0], "text": text} for name, text in PAIRS.items()]
        (folder / "pairs.json").write_text(json.dumps(rows))
        with pytest.raises(OCRError, match="pairs.json may have the labels, but is no list of names and texts"):
            open_dataset(folder)

    @pytest.mark.parametrize("suffix", [".json", ".yaml"])
    def test_one_for_each_image(self, folder, suffix):
        for name in NAMES[:3]:
            (folder / name).with_suffix(suffix).write_text('{"shapes": [{"label": "7741"}]}')
        assert find_format(folder) == "names"  # of half of the images: they may be anything
        (folder / NAMES[3]).with_suffix(suffix).write_text("")
        with pytest.raises(
            OCRError, match=f"img_0000{suffix} may have the labels, but is of one image alone; put its te"
        ):
            open_dataset(folder)

    @pytest.mark.parametrize("name", ["anything.xlsx", "labels.ods", "train.parquet"])
    def test_a_table_that_is_no_text(self, folder, name):
        (folder / name).write_bytes(b"PK\3\4" + bytes(range(256)))
        with pytest.raises(OCRError, match=f"{name} may have the labels, but can't be read; save it as CSV"):
            open_dataset(folder)

    def test_some_of_another_folder_of_images(self, folder):
        above = folder / "above"
        (above / "train").mkdir(parents=True)
        (above / "train" / "1.png").write_bytes(PNG)
        (above / "rec_gt.txt").write_text('["images/1.png"]\t7741\n["images/2.png"]\t7742\n')
        with pytest.raises(OCRError, match=r"rec_gt.txt may have the labels, but names no image that is there"):
            open_dataset(above)
        (above / "rec_gt.txt").unlink()
        with pytest.raises(OCRError, match=f"no labelled image in this folder; there are images in {above / 'train'}:"):
            open_dataset(above)

    @pytest.mark.parametrize("row", ["{n}", "d41d8cd98f00b204e9800998ecf8427e  {n}", f"{'0a' * 32} *{{n}}"])
    def test_what_says_nothing_of_texts_is_passed_over(self, folder, row):
        (folder / "MD5SUMS").write_text(lines(row))
        (folder / "files.txt").write_text(lines(row))
        (folder / "archive.zip").write_bytes(b"PK\3\4\xff" + lines("{n}").encode())
        assert find_format(folder) == "names"

    @pytest.mark.parametrize("name", ["labels.tsv", "any.tsv"])
    def test_a_list_of_which_little_is_labelled(self, folder, name):
        (folder / name).write_text(lines("{n}\t{t}", ["", "", "", "", "", "22"]))
        with pytest.raises(OCRError, match=rf"5 of 6 entries can't be used.*{name}:1|{NAMES[0]}"):
            open_dataset(folder)

    def test_several_lists(self, folder):
        for name in "train.csv", "val.csv":
            (folder / name).write_text(LISTS["train.csv"], encoding="utf-8")
        with pytest.raises(OCRError, match=f"^{folder}: train.csv, val.csv list images of this folder; give one"):
            open_dataset(folder)
        assert read(folder / "val.csv") == PAIRS
        (folder / "labels.tsv").write_text(LISTS["labels.txt"], encoding="utf-8")
        assert read(folder) == PAIRS

    def test_a_pattern_goes_with_names(self, folder):
        with pytest.raises(OCRError, match="--label-pattern .*goes with --format names, not gt"):
            open_dataset(folder, "gt", label_pattern="(?P<text>.+)")


@pytest.mark.parametrize(
    "name, advice",
    [
        ("img_0001.png", "is an image: give the folder that it is in, or a list"),
        ("SCAN.JPG", "is an image: give the folder"),
        ("captchas.zip", "is an archive: unpack it, and give the folder"),
        ("captchas.tar.gz", "is an archive"),
        ("labels.xlsx", "can't be read: save it as CSV"),
    ],
)
def test_a_path_that_is_no_list(folder, name, advice):
    (folder / name).write_bytes(PNG)
    with pytest.raises(OCRError, match=f"{name} {advice}"):
        open_dataset(folder / name)
