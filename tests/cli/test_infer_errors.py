"""The command that reads images: what it refuses, and that one bad image costs only itself."""

import json
import shutil
import struct
import zlib
from pathlib import Path

import cv2
import pytest

from ocr_lib.cv import MAX_PIXELS
from ocr_lib.mx import mx
from tests.cli.infer_command import run_script, write
from tests.small_network import files_of, mark_params


class TestBadImages:
    @pytest.fixture
    def bad(self, tmp_path):
        """Write images that can't be read; return each with what is said of it."""
        folder = tmp_path / "bad"
        whole = write(folder / "cut.png").read_bytes()
        (folder / "cut.png").write_bytes(whole[: len(whole) // 2])
        jpeg = write(folder / "cut.jpg", zoom=9).read_bytes()
        (folder / "cut.jpg").write_bytes(jpeg[: len(jpeg) * 2 // 3])
        (folder / "empty.png").touch()
        (folder / "text.png").write_text("This is a letter, not a picture of one.\n")
        # A PNG begins with its width and height, and their checksum.
        header = b"IHDR" + struct.pack(">II", 100_000, 100_000) + whole[24:29]
        huge = whole[:12] + header + struct.pack(">I", zlib.crc32(header)) + whole[33:]
        (folder / "huge.png").write_bytes(huge)
        damaged = bytearray(whole)
        damaged[-30] ^= 1
        (folder / "damaged.png").write_bytes(damaged)
        return {
            folder / "cut.png": "cut off",
            folder / "cut.jpg": "cut off",
            folder / "empty.png": "the file is empty",
            folder / "text.png": "no image that OpenCV can read",
            folder / "huge.png": f"{MAX_PIXELS:,} pixels",
            folder / "damaged.png": "damaged",
            folder / "missing.png": "No such file or directory",
        }

    @pytest.mark.parametrize("batch_size", [1, 3, 100])
    def test_each_is_named_and_the_others_are_read(self, infer, bad, tmp_path, batch_size):
        good = [write(tmp_path / f"{i}.png", str(i)) for i in range(3)]
        files = list(bad)
        arguments = [good[0], *files[:3], good[1], *files[3:], good[2]]
        code, lines, errors = infer(f"--batch-size={batch_size}", *arguments)
        assert code == 1
        assert lines == [f"{path}\tDigits: [{i}]" for i, path in enumerate(good)]
        assert len(errors) == len(files)
        for path, line in zip(files, errors):
            assert f"error: {path}: " in line
            assert bad[path] in line

    def test_json_has_them_in_their_places(self, infer, bad, tmp_path):
        good = write(tmp_path / "good.png", "31")
        code, lines, errors = infer("--json", *bad, good)
        found = json.loads("\n".join(lines))
        assert (code, errors) == (1, [])
        assert [entry["path"] for entry in found] == [*map(str, bad), str(good)]
        for path, entry in zip(bad, found):
            assert list(entry) == ["path", "error"]
            assert bad[path] in entry["error"]
        assert found[-1]["text"] == "31"

    def test_one_alone_prints_nothing_but_the_error(self, infer, bad):
        for path in bad:
            code, lines, errors = infer(path)
            assert (code, lines, len(errors)) == (1, [], 1)

    def test_a_folder_of_them_is_read_all_the_same(self, infer, bad, tmp_path):
        write(tmp_path / "bad" / "good.png", "31")
        code, lines, errors = infer(tmp_path / "bad")
        assert code == 1
        assert lines == [f"{tmp_path}/bad/good.png\tDigits: [3, 1]"]
        assert len(errors) == len(bad) - 1  # the missing one is not there to be found

    @pytest.mark.parametrize("name", ["photo.HEIC", "photo.avif", "photo.jp2"])
    def test_a_folder_with_photographs_of_formats_that_are_not_read(self, infer, tmp_path, name):
        write(tmp_path / "images" / "good.png", "31")
        (tmp_path / "images" / name).write_bytes(b"\0\0\0\x18ftypheic" + bytes(99))
        (tmp_path / "images" / "notes.txt").touch()
        code, lines, errors = infer(tmp_path / "images")
        assert (code, len(lines), len(errors)) == (1, 1, 1)
        assert f"{name}: AVIF or HEIC is not read: save it as PNG or JPEG" in errors[0]

    def test_a_folder_called_as_an_image(self, infer, tmp_path):
        (tmp_path / "images" / "folder.png").mkdir(parents=True)
        write(tmp_path / "images" / "good.png", "31")
        code, lines, errors = infer(tmp_path / "images")
        assert (code, len(lines), len(errors)) == (1, 1, 1)
        assert "folder.png: Is a directory" in errors[0]

    def test_a_name_of_two_lines_is_told_in_one(self, infer, tmp_path):
        code, _, errors = infer(tmp_path / "two\nlines.png")
        assert (code, len(errors)) == (1, 1)

    def test_the_plot_comes_without_them(self, infer, bad, tmp_path):
        good = write(tmp_path / "good.png")
        code, lines, errors = infer(f"--plot={tmp_path}/plot.png", *bad, good)
        assert (code, len(lines), len(errors)) == (1, 1, len(bad))
        assert cv2.imread(str(tmp_path / "plot.png")) is not None

    def test_each_is_named_even_if_there_is_nothing_to_plot(self, infer, tmp_path):
        code, lines, errors = infer(f"--plot={tmp_path}/plot.png", tmp_path / "a.png", tmp_path / "b.png")
        assert (code, lines) == (1, [])
        assert ["a.png: No such" in errors[0], "b.png: No such" in errors[1]] == [True, True]
        assert errors[2].endswith("error: --plot: no image could be read, so there is nothing to draw")
        assert not (tmp_path / "plot.png").exists()


class TestErrors:
    """Each is one line that names what is wrong, with exit code 1 and nothing on stdout."""

    @pytest.fixture
    def refused(self, infer, tmp_path):
        image = write(tmp_path / "image.png")

        def run(*arguments, image=image, **options):
            code, lines, errors = infer(*arguments, image, **options)
            assert (code, lines, len(errors)) == (1, [], 1), errors
            assert not errors[0].startswith("Traceback")
            assert ": error: " in errors[0]
            return errors[0].split(": error: ", 1)[1]

        return run

    @pytest.fixture
    def copied(self, prefix, tmp_path):
        (tmp_path / "copy").mkdir()
        for path in files_of(prefix):
            shutil.copy(path, tmp_path / "copy")
        return str(tmp_path / "copy" / "ocr")

    def test_a_folder_without_images(self, refused, tmp_path):
        (tmp_path / "folder").mkdir()
        (tmp_path / "folder" / "notes.txt").touch()
        assert refused(image=tmp_path / "folder") == f"{tmp_path}/folder: no image in this folder"

    def test_a_glob_without_matches(self, refused, tmp_path):
        assert refused(image=tmp_path / "*.gif") == f"{tmp_path}/*.gif: no file matches"

    def test_another_prefix(self, refused, tmp_path):
        said = refused(prefix=tmp_path / "other")
        assert said.startswith(f"{tmp_path}/other-symbol.json: no such checkpoint; lstm_ocr_train.py")

    def test_an_epoch_that_is_not_there(self, refused, prefix):
        assert refused("--epoch=9") == f"{prefix} has no epoch 9; it has 1, 2, 3"

    @pytest.mark.parametrize("batch_size", [0, -3])
    def test_a_batch_size_that_is_none(self, refused, batch_size):
        assert refused(f"--batch-size={batch_size}") == f"--batch-size must be at least 1, not {batch_size}"

    @pytest.mark.parametrize(
        "options, message",
        [
            (["--lexicon=w", "--pattern=a"], "--lexicon and --pattern can't be combined"),
            (["--lexicon=w", "--pattern=a", "--decoder=beam"], "--lexicon and --pattern can't be combined"),
            (["--lexicon=w", "--decoder=greedy"], "--lexicon goes with --decoder beam"),
            (["--pattern=a", "--decoder=greedy"], "--pattern goes with --decoder beam"),
            (["--pattern=", "--decoder=greedy"], "--pattern goes with --decoder beam"),
            (["--beam-width=2", "--decoder=greedy"], "--beam-width goes with --decoder beam"),
            (["--beam-width=2"], "--beam-width goes with --decoder beam"),
            (["--decoder=beam", "--beam-width=0"], "--beam-width must be from 1 to 1000, not 0"),
            (["--decoder=beam", "--beam-width=1001"], "--beam-width must be from 1 to 1000, not 1001"),
            ([r"--pattern=\d{0,100000}"], r"the pattern '\\d{0,100000}' has an automaton of more than 4,000 states"),
            (["--pattern=(?=1)"], "the pattern '(?=1)' has a lookahead or lookbehind, which is not supported"),
            (["--pattern=[A-Z]"], "the pattern '[A-Z]' matches no text over the alphabet '0123456789'"),
        ],
    )
    def test_decoding_that_can_not_be(self, refused, options, message):
        assert refused(*options).startswith(message)

    def test_a_lexicon_of_other_characters(self, refused, tmp_path):
        (tmp_path / "words.txt").write_text("12\n1x\n")
        assert refused(f"--lexicon={tmp_path}/words.txt") == (
            f"the lexicon {tmp_path}/words.txt, line 2: the alphabet lacks 'x' (U+0078), which is in the text '1x'"
        )

    def test_a_lexicon_that_is_not_there(self, refused, tmp_path):
        assert refused(f"--lexicon={tmp_path}/words.txt").endswith("words.txt: No such file or directory")

    @pytest.mark.parametrize("suffix", ["-symbol.json", "-recipe.json", "-0002.params"])
    def test_a_tampered_checkpoint(self, refused, copied, suffix):
        path = Path(copied + suffix)
        data = bytearray(path.read_bytes())
        data[len(data) // 3] ^= 1
        path.write_bytes(data)
        assert refused(prefix=copied).startswith(f"{path}: the file is not what {copied}-manifest.json says")

    @pytest.mark.parametrize("suffix", ["-symbol.json", "-recipe.json", "-0003.params", "-manifest.json"])
    def test_cut_off_files_without_a_manifest_to_tell(self, refused, copied, suffix):
        if suffix != "-manifest.json":
            Path(f"{copied}-manifest.json").unlink()
        path = Path(copied + suffix)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        assert refused(prefix=copied).startswith(f"{path}: ")

    def test_parameters_of_another_network(self, refused, copied):
        Path(f"{copied}-manifest.json").unlink()
        arrays = {f"arg:{name}": mx.nd.array(array[:-1]) for name, array in mark_params().items()}
        mx.nd.save(f"{copied}-0003.params", arrays)
        said = refused(prefix=copied)
        assert said == f"{copied}-0003.params: the parameters don't fit the symbol and the recipe beside them"

    def test_json_and_quiet_change_nothing_of_it(self, refused):
        assert refused("--json", "--quiet", "--epoch=9") == refused("--epoch=9")

    def test_debug_shows_the_traceback(self, tmp_path, prefix):
        code, output, errors = run_script(f"--prefix={prefix}", "--epoch=9", "--debug", write(tmp_path / "a.png"))
        assert (code, output) == (1, "")
        assert errors.startswith("Traceback")
        assert errors.splitlines()[-1].endswith(f"{prefix} has no epoch 9; it has 1, 2, 3")


class TestScript:
    def test_names_bad_images_and_reads_the_others(self, prefix, tmp_path):
        whole = write(tmp_path / "a.png", "31").read_bytes()
        (tmp_path / "b.png").write_bytes(whole[:-30])
        (tmp_path / "c.jpg").write_bytes(b"\xff\xd8\xff\xe0 no picture")
        (tmp_path / "d.webp").write_bytes(b"RIFF\0\0\0\0WEBPVP8 ")
        (tmp_path / "e.tif").write_bytes(b"II*\0\x08\0\0\0\xff\xff")
        code, output, errors = run_script("--prefix", prefix, tmp_path)
        assert (code, output) == (1, f"{tmp_path}/a.png\tDigits: [3, 1]\n")
        assert [line.split(": ")[:3] for line in errors.splitlines()] == [
            ["lstm_ocr_infer.py", "error", f"{tmp_path}/{name}"] for name in ("b.png", "c.jpg", "d.webp", "e.tif")
        ]

    def test_without_a_checkpoint(self, tmp_path):
        code, output, errors = run_script("--prefix", tmp_path / "no", write(tmp_path / "a.png"))
        assert (code, output) == (1, "")
        assert errors == (
            f"lstm_ocr_infer.py: error: {tmp_path}/no-symbol.json: no such checkpoint; "
            f"lstm_ocr_train.py --prefix {tmp_path}/no makes one\n"
        )
