"""The command that reads images: what it reads and prints."""

import json
import math
import os
import re
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from ocr_lib.cli import infer as infer_module
from ocr_lib.cv import MAX_PIXELS
from ocr_lib.recognize.beam import DEFAULT_WIDTH
from tests import original_example
from tests.cli.infer_command import SCRIPT, run_script, write
from tests.small_network import LETTERS, files_of, mark_params, mark_recipe, save


class TestOutput:
    @pytest.mark.parametrize("text, line", [("0089", "Digits: [0, 0, 8, 9]"), ("7", "Digits: [7]"), ("", "Digits: []")])
    def test_one_image_of_digits_is_the_classic_line(self, infer, tmp_path, text, line):
        assert infer(write(tmp_path / "a.png", text)) == (0, [line], [])

    def test_other_alphabets_are_text(self, infer, letters_prefix, tmp_path):
        path = write(tmp_path / "a.png", "вага", LETTERS)
        assert infer(path, prefix=letters_prefix) == (0, ["Text: вага"], [])

    def test_digits_in_another_order(self, infer, tmp_path):
        prefix = save(tmp_path / "ocr", mark_recipe("9876543210"), mark_params())
        assert infer(write(tmp_path / "a.png", "12"), prefix=prefix)[1] == ["Digits: [8, 7]"]

    def test_several_images_are_named(self, infer, tmp_path):
        one, other = write(tmp_path / "one.png", "31"), write(tmp_path / "other.jpg", "5")
        assert infer(other, one) == (0, [f"{other}\tDigits: [5]", f"{one}\tDigits: [3, 1]"], [])

    def test_quiet_changes_no_result(self, infer, tmp_path):
        path = write(tmp_path / "a.png")
        assert infer("--quiet", path) == infer(path)

    def test_confidence(self, infer, tmp_path):
        code, lines, _ = infer("--confidence", write(tmp_path / "a.png", "0089"))
        assert code == 0
        line, confidence = lines[0].split("\tconfidence ")
        assert line == "Digits: [0, 0, 8, 9]"
        assert float(confidence) == pytest.approx(mark_confidence("0089"), abs=1e-4)

    def test_json(self, infer, tmp_path):
        paths = [write(tmp_path / f"{text}.png", text) for text in ("31", "5")]
        code, lines, errors = infer("--json", *paths)
        found = json.loads("\n".join(lines))
        assert (code, errors) == (0, [])
        assert found == [
            {
                "path": str(path),
                "text": path.stem,
                "confidence": pytest.approx(mark_confidence(path.stem), abs=1e-5),
                # Marks stand in every other column of the network's image, which is a third of this size.
                "characters": [
                    {"text": character, "confidence": pytest.approx(0.97, abs=0.02), "x": 3 * (1.5 + 2 * i)}
                    for i, character in enumerate(path.stem)
                ],
            }
            for path in paths
        ]

    def test_json_of_one_image_is_an_array_too(self, infer, tmp_path):
        (found,) = json.loads("\n".join(infer("--json", write(tmp_path / "a.png", "31"))[1]))
        assert list(found) == ["path", "text", "confidence", "characters"]

    def test_json_keeps_letters_readable(self, infer, letters_prefix, tmp_path):
        _, lines, _ = infer("--json", write(tmp_path / "жук.png", "жа", LETTERS), prefix=letters_prefix)
        assert any('"text": "жа"' in line for line in lines)
        assert any("жук.png" in line for line in lines)

    def test_a_name_that_is_no_text(self, infer, tmp_path):
        path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.png"))
        write(path, "31")
        other = write(tmp_path / "z.png", "5")
        code, lines, _ = infer(path, other)
        assert (code, lines) == (0, [f"{tmp_path}/\\udcff.png\tDigits: [3, 1]", f"{other}\tDigits: [5]"])
        code, lines, _ = infer("--json", path)
        assert json.loads("\n".join(lines))[0]["path"] == str(path)


def mark_probabilities(text):
    """Yield the mark network's probabilities at each time step, worked out from its gates in plain Python."""
    gate = 1 / (1 + math.exp(-5))
    cells = [0.0] * 10
    for step in range(16):
        index, marked = divmod(step, 2)
        dark = int(text[index]) if marked and index < len(text) else None
        cells = [(1 - gate) * cell + gate * math.tanh(2 * (row == dark)) for row, cell in enumerate(cells)]
        scores = [math.exp(5), *(math.exp(12 * gate * math.tanh(cell)) for cell in cells)]
        yield [score / sum(scores) for score in scores]


def mark_confidence(text):
    """Run the forward algorithm of CTC over the text with blanks in between."""
    states = [0]
    for character in text:
        states += [int(character) + 1, 0]
    forward = [1.0] + [0.0] * (len(states) - 1)
    for probabilities in mark_probabilities(text):
        before, forward = forward, []
        for s, label in enumerate(states):
            total = sum(before[max(0, s - 1) : s + 1])
            if label and s > 1 and label != states[s - 2]:
                total += before[s - 2]
            forward.append(total * probabilities[label])
    return sum(forward[-2:])


class TestArguments:
    def test_a_folder_is_read_in_order_without_what_is_no_image(self, infer, tmp_path):
        for name, text in (("b.png", "2"), ("a.JPG", "1"), ("c.bmp", "3"), ("d.tif", "4"), ("e.webp", "5")):
            write(tmp_path / "images" / name.lower(), text)
            (tmp_path / "images" / name.lower()).rename(tmp_path / "images" / name)
        (tmp_path / "images" / "labels.tsv").write_text("a.JPG\t1\n")
        code, lines, errors = infer(tmp_path / "images")
        assert (code, errors) == (0, [])
        assert [line.split("\t")[1] for line in lines] == [f"Digits: [{i}]" for i in (1, 2, 3, 4, 5)]

    def test_a_glob(self, infer, tmp_path):
        for name in ("1.png", "2.png", "12.png", "3.bmp"):
            write(tmp_path / name, name[:-4])
        (tmp_path / "4.png").mkdir()
        code, lines, errors = infer(tmp_path / "?.png")
        assert (code, errors) == (0, [])
        assert lines == [f"{tmp_path}/1.png\tDigits: [1]", f"{tmp_path}/2.png\tDigits: [2]"]

    def test_a_glob_across_folders(self, infer, tmp_path):
        for folder in ("a", "a/b", "c"):
            write(tmp_path / folder / "x.png")
        assert len(infer(f"{tmp_path}/**/x.png")[1]) == 3

    def test_a_file_whose_name_looks_like_a_glob(self, infer, tmp_path):
        path = write(tmp_path / "a[1]*.png", "31")
        assert infer(path) == (0, ["Digits: [3, 1]"], [])

    def test_files_folders_and_globs_together(self, infer, tmp_path):
        write(tmp_path / "folder" / "a.png", "1")
        write(tmp_path / "b.png", "2")
        write(tmp_path / "c.bmp", "3")
        _, lines, _ = infer(tmp_path / "*.bmp", tmp_path / "folder", tmp_path / "b.png")
        assert [line.split("\t")[1] for line in lines] == ["Digits: [3]", "Digits: [1]", "Digits: [2]"]

    @pytest.mark.parametrize("batch_size", [1, 2, 3, 7, 1000])
    def test_any_batch_size_reads_the_same(self, infer, tmp_path, batch_size):
        texts = ["0089", "7", "", "123", "55", "9", "31415"]
        paths = [write(tmp_path / f"{i}.png", text, zoom=i + 1) for i, text in enumerate(texts)]
        _, lines, _ = infer("--json", f"--batch-size={batch_size}", *paths)
        assert [entry["text"] for entry in json.loads("\n".join(lines))] == texts

    @pytest.mark.parametrize(
        "epoch, digit", [(None, 4), ("best", 4), ("2", 4), ("1", 5), ("0001", 5), ("3", 3), ("last", 3)]
    )
    def test_epoch(self, infer, tmp_path, epoch, digit):
        arguments = [] if epoch is None else [f"--epoch={epoch}"]
        assert infer(*arguments, write(tmp_path / "a.png", "4"))[1] == [f"Digits: [{digit}]"]

    @pytest.mark.parametrize("epoch", ["-1", "first", "1.5", "", "²"])
    def test_epoch_that_is_none(self, infer, tmp_path, epoch, capsys):
        with pytest.raises(SystemExit) as caught:
            infer(f"--epoch={epoch}", tmp_path)
        assert caught.value.code == 2
        assert "--epoch" in capsys.readouterr().err.splitlines()[-1]


class TestDecoding:
    """The network sees what is there, so that only a constraint can make it read anything else."""

    def read(self, infer, *arguments, prefix=None):
        options = {} if prefix is None else {"prefix": prefix}
        code, lines, errors = infer("--json", *arguments, **options)
        assert (code, errors) == (0, [])
        return [(entry["text"], entry["confidence"]) for entry in json.loads("\n".join(lines))]

    @pytest.fixture
    def images(self, tmp_path):
        return [write(tmp_path / f"{i}.png", text) for i, text in enumerate(["0089", "7", "31415", ""])]

    @pytest.mark.parametrize(
        "options", [["--decoder=greedy"], ["--decoder=beam"], ["--decoder=beam", "--beam-width=1"], [r"--pattern=\d*"]]
    )
    def test_agrees_with_the_default_where_all_is_clear(self, infer, images, options):
        assert self.read(infer, *options, *images) == self.read(infer, *images)

    @pytest.mark.parametrize(
        "pattern, texts",
        [
            (r"\d{4,5}", {0: "0089", 2: "31415"}),
            (r"00\d+|7", {0: "0089", 1: "7"}),
            ("[0-57]*", {1: "7", 2: "31415", 3: ""}),
        ],
    )
    def test_pattern(self, infer, images, pattern, texts):
        found = self.read(infer, f"--pattern={pattern}", *images)
        assert all(re.fullmatch(pattern, text) for text, _ in found)
        assert {index: found[index][0] for index in texts} == texts
        for index, (held, free) in enumerate(zip(found, self.read(infer, *images))):
            assert held == free if index in texts else held[1] < free[1]

    @pytest.mark.parametrize("width", [1, 16])
    def test_lexicon(self, infer, images, tmp_path, width):
        (tmp_path / "words.txt").write_text("0088\n7\n31415\n99\n")
        found = self.read(infer, f"--lexicon={tmp_path}/words.txt", f"--beam-width={width}", *images)
        assert [text for text, _ in found[:3]] == ["0088", "7", "31415"]
        assert found[3][0] == "7"
        free = self.read(infer, *images)
        assert found[1:3] == free[1:3]
        assert found[0][1] < free[0][1]

    def test_lexicon_of_letters(self, infer, letters_prefix, tmp_path):
        (tmp_path / "слова.txt").write_text("ваза\nвага\n", encoding="utf-8")
        path = write(tmp_path / "a.png", "вага", LETTERS)
        assert infer(f"--lexicon={tmp_path}/слова.txt", path, prefix=letters_prefix) == (0, ["Text: вага"], [])

    def test_texts_too_long_for_the_time_steps_leave_no_reading(self, infer, images):
        code, lines, errors = infer("--confidence", r"--pattern=\d{17}", images[0])
        assert (code, lines, errors) == (0, ["Digits: []\tconfidence 0.0000"], [])


class TestPlot:
    def sizes(self, infer, folder, count, prefix):
        paths = [write(folder / f"{i}.png", "4") for i in range(count)]
        assert infer(f"--plot={folder}/plots/plot.png", *paths, prefix=prefix)[0] == 0
        picture = cv2.imread(str(folder / "plots" / "plot.png"))
        assert picture.std() > 20, "the picture is all but empty"
        return picture.shape[:2]

    def test_more_images_make_a_larger_picture(self, infer, tmp_path, prefix):
        one, three, five = (self.sizes(infer, tmp_path / str(count), count, prefix) for count in (1, 3, 5))
        assert one[0] == three[0] < five[0]
        assert one[1] < three[1] < five[1]

    def test_of_many_images_only_so_many_are_drawn(self, infer, tmp_path, prefix, monkeypatch):
        monkeypatch.setattr(infer_module, "MOST_PLOTTED", 5)
        fewer, few, many = (self.sizes(infer, tmp_path / str(n), n, prefix) for n in (3, 5, 7))
        assert fewer != few == many

    def test_shows_the_image_over_its_probabilities(self, infer, tmp_path, prefix):
        path = tmp_path / "half.png"
        grey = np.full((30, 48), 255, np.uint8)
        grey[:, :20] = 128
        assert cv2.imwrite(str(path), grey)
        infer(f"--plot={tmp_path}/plot.png", path)
        picture = cv2.imread(str(tmp_path / "plot.png"))
        height = picture.shape[0]
        is_grey = np.abs(picture.astype(int) - 128).max(axis=2) < 3
        assert is_grey[: height // 2].mean() > 0.1
        coloured = np.ptp(picture.astype(int), axis=2) > 30  # viridis
        assert coloured[height // 2 :].mean() > 0.3
        assert coloured[: height // 3].mean() < 0.01

    def test_characters_that_mean_something_to_the_picture(self, infer, tmp_path):
        alphabet = "$^_\\{}中%#&"
        prefix = save(tmp_path / "ocr", mark_recipe(alphabet), mark_params())
        path = write(tmp_path / "a.png", "$^_$\\中", alphabet)
        assert infer(f"--plot={tmp_path}/plot.png", path, prefix=prefix) == (0, ["Text: $^_$\\中"], [])
        assert cv2.imread(str(tmp_path / "plot.png")) is not None

    def test_must_be_a_png(self, infer, tmp_path):
        code, lines, errors = infer(f"--plot={tmp_path}/plot.jpg", write(tmp_path / "a.png"))
        assert (code, lines, len(errors)) == (1, [], 1)
        assert "plot.jpg: the picture is a PNG" in errors[0]

    def test_that_can_not_be_written_is_one_line(self, infer, tmp_path):
        (tmp_path / "file").touch()
        code, _, errors = infer(f"--plot={tmp_path}/file/plot.png", write(tmp_path / "a.png"))
        assert (code, len(errors)) == (1, 1)
        assert f"{tmp_path}/file/plot.png can't be written" in errors[0]


class TestOriginalCheckpoint:
    def test_prints_what_the_examples_script_does(self, infer, tmp_path):
        original_example.save(tmp_path / "original", 7)
        rng = np.random.default_rng(1)
        image = cv2.GaussianBlur(rng.integers(0, 256, (60, 160)).astype(np.uint8), (0, 0), 4)
        cv2.imwrite(str(tmp_path / "a.png"), cv2.normalize(image, None, 0, 255, cv2.NORM_MINMAX))
        digits, _ = original_example.predict(tmp_path / "original", tmp_path / "a.png", 7)
        assert digits
        expected = (0, [f"Digits: {digits}"], [])
        assert infer(tmp_path / "a.png", prefix=tmp_path / "original") == expected
        assert infer("--epoch=7", tmp_path / "a.png", prefix=tmp_path / "original") == expected


class TestScript:
    def test_reads_an_image_from_anywhere(self, prefix, tmp_path):
        write(tmp_path / "a.png", "0089")
        shutil.copy(SCRIPT, tmp_path)
        for path in files_of(prefix):
            shutil.copy(path, tmp_path)
        assert run_script("a.png", cwd=tmp_path) == (0, "Digits: [0, 0, 8, 9]\n", "")

    def test_help_tells_the_defaults(self):
        code, output, errors = run_script("--help")
        assert (code, errors) == (0, "")
        for said in (
            "(default: ocr)",
            "(default: 128)",
            f"beam search keeps (default: {DEFAULT_WIDTH})",
            "best or last",
            f"{MAX_PIXELS:,} pixels",
        ):
            assert said in " ".join(output.split())
