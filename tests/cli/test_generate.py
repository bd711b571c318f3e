"""The command that writes captchas."""

import fcntl
import json
import os
import pty
import re
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import numpy as np
import pytest

from ocr_lib.cli.generate import main
from ocr_lib.files import sha256
from ocr_lib.image import read_image

ROOT = Path(__file__).parent.parent.parent
SCRIPT = ROOT / "captcha_generator.py"
COUNT = 300
SEED = 11


def run(*arguments):
    """Run the command here; what argparse refuses ends as an exit code too."""
    try:
        return main([str(argument) for argument in arguments])
    except SystemExit as exit_:
        return exit_.code


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def contents(folder):
    return {path.name: sha256(path) for path in folder.iterdir()}


def start(*arguments, **options):
    command = [sys.executable, SCRIPT, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)


@pytest.fixture(scope="module")
def undisturbed(font_dir, tmp_path_factory):
    """Return the files of a data set that one worker wrote without a break."""
    folder = tmp_path_factory.mktemp("sets") / "undisturbed"
    assert run(font_dir, "--count", COUNT, "--out", folder, "--seed", SEED, "--num_proc", 1, "--quiet") == 0
    return folder


@pytest.mark.parametrize("name", ["sample.jpg", "sample.png", "S.PNG", "new/folder/числа.bmp"])
def test_classic_form(font, tmp_path, capsys, name):
    output = tmp_path / name
    assert run(font, output, "--num", "0042") == 0
    assert capsys.readouterr().out == f"Captcha image with digits [0, 0, 4, 2] written to {output}\n"
    image = read_image(output)
    assert image.shape == (60, 160)
    assert np.median(image) > 200 and image.min() < 200
    assert names(output.parent) == [output.name]


def test_the_script_does_what_the_command_does(font, tmp_path):
    output = tmp_path / "sample.jpg"
    process = start(font, output)
    said, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, b"")
    assert said.decode().startswith("Captcha image with digits [")
    assert said.decode().endswith(f"] written to {output}\n")
    assert read_image(output).shape == (60, 160)


def difference(*paths):
    one, other = (read_image(path).astype(int) for path in paths)
    return np.abs(one - other).mean()


@pytest.mark.parametrize("text", ["0042", "7", "a jar", "999999999999"])
def test_both_renderers_draw_nearly_the_same_captcha(font_dir, tmp_path, text):
    for name in "fast", "captcha", "default":
        extra = [] if name == "default" else ["--renderer", name]
        assert run(font_dir, tmp_path / f"{name}.png", "--num", text, "--seed", 5, *extra) == 0
    assert difference(tmp_path / "fast.png", tmp_path / "captcha.png") < 1
    assert sha256(tmp_path / "default.png") == sha256(tmp_path / "fast.png")


def test_both_renderers_write_nearly_the_same_data_set(undisturbed, font_dir, tmp_path):
    arguments = [font_dir, "--count", 30, "--seed", SEED, "--num_proc", 1]
    assert run(*arguments, "--out", tmp_path, "--renderer", "captcha") == 0
    labels = (tmp_path / "labels.tsv").read_text().splitlines()
    assert labels == (undisturbed / "labels.tsv").read_text().splitlines()[:30]
    for name in (f"{index:06d}.png" for index in range(30)):
        assert difference(tmp_path / name, undisturbed / name) < 1
        assert sha256(tmp_path / name) != sha256(undisturbed / name)


def test_files_are_grey(font, tmp_path):
    run(font, tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes()[24:26] == bytes([8, 0])  # 8 bits, grey, in the PNG's header


def test_random_digits_unless_told(font, tmp_path, capsys):
    said = set()
    for _ in range(12):
        assert run(font, tmp_path / "a.png") == 0
        said.add(capsys.readouterr().out)
    assert len(said) > 3


def test_other_text_than_digits(font, tmp_path, capsys):
    assert run(font, tmp_path / "a.png", "--num", "aB-9") == 0
    assert capsys.readouterr().out == f"Captcha image with text aB-9 written to {tmp_path / 'a.png'}\n"


def test_a_seed_makes_the_same_file_again(font, font_dir, tmp_path, capsys):
    files = set()
    for fonts in font, font_dir:
        for seed in 0, 0, 1, 2**63 - 1:
            assert run(fonts, tmp_path / "a.png", "--seed", seed) == 0
            files.add(sha256(tmp_path / "a.png"))
    assert len(files) == 6


def test_size_text_length_and_alphabet(font, tmp_path, capsys):
    arguments = ["--width", 100, "--height", 40, "--digits", "6", "--alphabet", "xy"]
    assert run(font, tmp_path / "a.png", *arguments) == 0
    text = capsys.readouterr().out.split()[4]
    assert len(text) == 6 and set(text) <= set("xy")
    assert read_image(tmp_path / "a.png").shape == (40, 100)


def test_a_data_set_is_images_with_their_texts(undisturbed, font_dir, tmp_path):
    lines = (undisturbed / "labels.tsv").read_text().splitlines()
    labels = dict(line.split("\t") for line in lines)
    assert list(labels) == [f"{index:06d}.png" for index in range(COUNT)]
    assert {len(text) for text in labels.values()} == {3, 4}
    assert set("".join(labels.values())) == set("0123456789")
    assert {path.name for path in undisturbed.iterdir()} == {*labels, "labels.tsv", "captchas.json"}
    images = [read_image(undisturbed / name) for name in labels]
    assert {image.shape for image in images} == {(60, 160)}
    assert len({image.tobytes() for image in images}) == COUNT


def test_labels_say_what_the_images_show(undisturbed, tmp_path, font_dir, capsys):
    # A data set's first image and the single captcha of the same seed are drawn alike, and the latter says its text.
    assert run(font_dir, tmp_path / "a.png", "--seed", SEED) == 0
    digits = capsys.readouterr().out.split("[")[1].split("]")[0].replace(", ", "")
    assert (undisturbed / "labels.tsv").read_text().splitlines()[0] == f"000000.png\t{digits}"
    assert sha256(tmp_path / "a.png") == sha256(undisturbed / "000000.png")


@pytest.mark.parametrize("num_proc", [2, 3, "auto"])
def test_the_files_do_not_depend_on_the_number_of_workers(undisturbed, font_dir, tmp_path, capsys, num_proc):
    folder = tmp_path / "set"
    assert run(font_dir, "--count", COUNT, "--out", folder, "--seed", SEED, "--num_proc", num_proc) == 0
    captured = capsys.readouterr()
    assert captured.out == f"{COUNT} captcha images and labels.tsv written to {folder}\n"
    assert captured.err == ""
    assert contents(folder) == contents(undisturbed)


def test_other_seeds_and_settings_make_other_files(font, tmp_path):
    firsts = set()
    for number, extra in enumerate(([], ["--seed", 0], ["--seed", 1], ["--digits", "5-6"], ["--alphabet", "01"])):
        assert run(font, "--count", 2, "--out", tmp_path / str(number), "--num_proc", 1, *extra) == 0
        firsts.add(sha256(tmp_path / str(number) / "000000.png"))
    assert len(firsts) == 4  # without a seed it is 0


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGKILL])
def test_a_stopped_run_is_continued(undisturbed, font_dir, tmp_path, stop):
    folder = tmp_path / "set"
    arguments = [font_dir, "--count", COUNT, "--out", folder, "--seed", SEED, "--num_proc", 2]
    process = start(*arguments, start_new_session=True)
    while len(list(folder.glob("*.png"))) < 5:
        assert process.poll() is None
        time.sleep(0.002)
    os.killpg(process.pid, stop)
    said, errors = process.communicate(timeout=60)
    assert said == b""
    if stop == signal.SIGINT:
        assert process.returncode == 130
        assert errors == b"captcha_generator.py: stopped\n"
        assert not list(folder.glob(".*"))
    begun = {path: path.stat().st_mtime_ns for path in folder.glob("*.png")}
    assert 5 <= len(begun) < COUNT and not (folder / "labels.tsv").exists()
    assert {path.name: sha256(path) for path in begun}.items() <= contents(undisturbed).items()

    assert run(*arguments) == 0
    assert contents(folder) == contents(undisturbed)
    assert {path: path.stat().st_mtime_ns for path in begun} == begun


def test_a_data_set_can_grow_but_not_shrink(undisturbed, font_dir, tmp_path, capsys):
    folder = tmp_path / "set"
    arguments = [font_dir, "--out", folder, "--seed", SEED, "--num_proc", 1]
    assert run(*arguments, "--count", 7) == 0
    assert run(*arguments, "--count", 30) == 0
    first_30 = {f"{index:06d}.png" for index in range(30)} | {"captchas.json"}
    expected = {name: digest for name, digest in contents(undisturbed).items() if name in first_30}
    found = contents(folder)
    assert found.pop("labels.tsv") and found == expected
    assert len((folder / "labels.tsv").read_text().splitlines()) == 30
    before = contents(folder)
    assert run(*arguments, "--count", 29) == 1
    assert "holds more than 29 captchas already" in capsys.readouterr().err
    assert contents(folder) == before


@pytest.mark.parametrize(
    "changed",
    [
        ["--seed", 1],
        ["--width", 100],
        ["--height", 50],
        ["--digits", "4"],
        ["--alphabet", "01"],
        ["--renderer", "captcha"],
        "other font",
    ],
)
def test_a_data_set_of_other_settings_is_left_alone(font, font_dir, tmp_path, capsys, changed):
    folder = tmp_path / "set"
    assert run(font, "--count", 2, "--out", folder, "--num_proc", 1) == 0
    before = contents(folder)
    other, extra = (font_dir / "Lato-Black.ttf", []) if changed == "other font" else (font, changed)
    assert run(other, "--count", 4, "--out", folder, "--num_proc", 1, *extra) == 1
    assert f"{folder} holds other captchas" in capsys.readouterr().err
    assert contents(folder) == before


def test_a_font_of_the_same_name_and_other_content_counts_as_other(font, font_dir, tmp_path, capsys):
    copy = shutil.copy(font, tmp_path / "font.ttf")
    assert run(copy, "--count", 2, "--out", tmp_path / "set", "--num_proc", 1) == 0
    shutil.copy(font_dir / "Lato-Black.ttf", copy)
    assert run(copy, "--count", 2, "--out", tmp_path / "set", "--num_proc", 1) == 1
    assert "holds other captchas" in capsys.readouterr().err


def test_a_folder_of_someone_else_is_left_alone(font, tmp_path, capsys):
    folder = tmp_path / "thesis"
    folder.mkdir()
    (folder / "chapter1.txt").write_text("It was a dark and stormy night")
    assert run(font, "--count", 2, "--out", folder) == 1
    assert f"{folder} is there and was not made by this command" in capsys.readouterr().err
    assert names(folder) == ["chapter1.txt"]


def test_an_empty_folder_is_taken(font, tmp_path, capsys):
    assert run(font, "--count", 1, "--out", tmp_path, "--num_proc", 1) == 0
    assert names(tmp_path) == ["000000.png", "captchas.json", "labels.tsv"]


@pytest.mark.parametrize("content", [b"", b"{}", b"not json", b'{"seed": -1}', b"\xff"])
def test_damaged_settings_are_named(font, tmp_path, capsys, content):
    (tmp_path / "captchas.json").write_bytes(content)
    assert run(font, "--count", 1, "--out", tmp_path, "--num_proc", 1) == 1
    assert f"error: {tmp_path / 'captchas.json'}: " in capsys.readouterr().err
    assert (tmp_path / "captchas.json").read_bytes() == content


@pytest.mark.parametrize("format_", [None, 1, 3])
def test_a_data_set_of_another_format_is_left_alone(font, tmp_path, capsys, format_):
    arguments = [font, "--count", 2, "--out", tmp_path / "set", "--num_proc", 1]
    assert run(*arguments) == 0
    settings = tmp_path / "set" / "captchas.json"
    tree = json.loads(settings.read_text())
    assert tree.pop("format") == 2
    settings.write_text(json.dumps(tree if format_ is None else {"format": format_, **tree}))
    before = contents(tmp_path / "set")
    capsys.readouterr()
    assert run(*arguments) == 1
    captured = capsys.readouterr()
    (line,) = captured.err.splitlines()
    assert f"error: {settings}: " in line and "format" in line and "unexpected" not in line
    assert captured.out == "" and contents(tmp_path / "set") == before


def test_a_progress_bar_on_a_terminal_only(font, tmp_path):
    shown = []
    for extra in [], ["--quiet"]:
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", 24, 80, 0, 0))
        process = subprocess.Popen(
            [sys.executable, SCRIPT, font, "--count", "60", "--out", tmp_path / f"set{len(shown)}", *extra],
            stdout=subprocess.DEVNULL,
            stderr=theirs,
        )
        os.close(theirs)
        printed = b""
        try:
            while True:
                printed += os.read(ours, 4096)
        except OSError:  # the other end is closed
            os.close(ours)
        assert process.wait(60) == 0
        shown.append(printed)
    assert b"/60" in shown[0] and b"image/s" in shown[0]
    assert shown[1] == b""


# The arguments FONT, OUT.png and DIR stand for a good font, a file and a folder that are not there yet.
BAD = [
    ([], "required: FONT"),
    (["FONT"], "give either OUTPUT"),
    (["FONT", "OUT.png", "--out", "DIR", "--count", 3], "give either OUTPUT"),
    (["FONT", "OUT.png", "--count", 3], "give either OUTPUT"),
    (["FONT", "--count", 3], "give either OUTPUT"),
    (["FONT", "--out", "DIR"], "give either OUTPUT"),
    (["FONT", "OUT.png", "--colour", "red"], "unrecognized arguments: --colour"),
    (["FONT", "OUT.png", "--num", ""], "--num is the text"),
    (["FONT", "--num", "12", "--out", "DIR", "--count", 3], "--num is the text"),
    (["FONT", "OUT.png", "--num", "1数2"], "Ubuntu-M.ttf: this font has no glyph for '数'"),
    (["FONT", "OUT.png", "--num", "1\n2"], "this font has no glyph"),
    (["FONT", "OUT.png", "--width", "wide"], "--width: invalid int value: 'wide'"),
    (["FONT", "OUT.png", "--width", 9], ">= 10.*width"),
    (["FONT", "OUT.png", "--height", -60], ">= 10.*height"),
    (["FONT", "OUT.png", "--digits", "few"], "'few' is not like 3-4 or 4"),
    (["FONT", "OUT.png", "--digits", "-3"], "--digits"),
    (["FONT", "OUT.png", "--digits", "3-"], "'3-' is not like 3-4 or 4"),
    (["FONT", "OUT.png", "--digits", "4-3"], "min_length 4 is more than max_length 3"),
    (["FONT", "OUT.png", "--digits", "0"], ">= 1.*length"),
    (["FONT", "OUT.png", "--digits", "0-3"], ">= 1.*min_length"),
    (["FONT", "OUT.png", "--alphabet", ""], "the alphabet is empty"),
    (["FONT", "OUT.png", "--alphabet", "0120"], "'0'.*more than once"),
    (["FONT", "OUT.png", "--alphabet", "0\t1"], "control character"),
    (["FONT", "OUT.png", "--alphabet", "01数"], "no glyph for '数'"),
    (["FONT", "OUT.png", "--seed", "x"], "--seed: invalid int value"),
    (["FONT", "OUT.png", "--seed", -1], ">= 0.*seed"),
    (["FONT", "OUT.png", "--seed", 2**63], "<=.*seed"),
    (["FONT", "--out", "DIR", "--count", 3, "--seed", -1], ">= 0.*seed"),
    (["FONT", "--out", "DIR", "--count", 0], "--count must be at least 1, not 0"),
    (["FONT", "--out", "DIR", "--count", -5], "--count must be at least 1, not -5"),
    (["FONT", "--out", "DIR", "--count", 3, "--num_proc", 0], "--num_proc must be at least 1, not 0"),
    (["FONT", "--out", "DIR", "--count", 3, "--num_proc", "all"], "'all' is neither a number nor auto"),
    (["FONT", "OUT.png", "--renderer", "quick"], "--renderer: invalid choice: 'quick'"),
    (["FONT", "--out", "FONT", "--count", 3, "--num_proc", 1], "is there and was not made by this command"),
    (["FONT", "--out", "FONT/DIR", "--count", 3, "--num_proc", 1], "can't be written"),
    (["FONT", "OUT"], "OUT: OpenCV writes no images called nothing; try .png or .jpg"),
    (["FONT", "OUT.doc"], "OUT.doc: OpenCV writes no images called .doc; try .png or .jpg"),
    (["FONT", "FONT/OUT.png"], "OUT.png can't be written"),
    (["absent.ttf", "OUT.png"], "absent.ttf: no such font file or folder"),
    (["two\nlines.ttf", "OUT.png"], "two lines.ttf: no such font file or folder"),
    (["words.ttf", "OUT.png"], "words.ttf: not a font that can be read"),
    (["cut.ttf", "--out", "DIR", "--count", 3], "cut.ttf: not a font that can be read.*cut off"),
    (["empty", "OUT.png"], "empty: no .ttf or .otf file in this folder"),
]


@pytest.mark.parametrize("arguments, message", BAD, ids=[" ".join(map(str, arguments)) for arguments, _ in BAD])
def test_bad_arguments_are_told_in_one_line_and_nothing_is_written(
    font, tmp_path, monkeypatch, capfd, arguments, message
):
    monkeypatch.chdir(tmp_path)
    shutil.copy(font, "Ubuntu-M.ttf")
    Path("words.ttf").write_text("words")
    Path("cut.ttf").write_bytes(font.read_bytes()[:100_000])
    Path("empty").mkdir()
    before = sorted(tmp_path.rglob("*"))
    arguments = [str(argument).replace("FONT", "Ubuntu-M.ttf") for argument in arguments]
    assert run(*arguments) not in (0, None)
    captured = capfd.readouterr()
    (line,) = captured.err.splitlines()
    assert "error: " in line and "Traceback" not in line and "unexpected" not in line
    assert captured.out == ""
    assert re.search(message, line), line
    assert sorted(tmp_path.rglob("*")) == before


def test_debug_shows_where_an_error_came_from(tmp_path):
    process = start(tmp_path / "absent.ttf", tmp_path / "a.png", "--debug")
    errors = process.communicate(timeout=60)[1].decode()
    assert process.returncode == 1
    assert "Traceback" in errors and "no such font file or folder" in errors.splitlines()[-1]


def test_help_tells_the_defaults(capsys):
    assert run("--help") == 0
    said = " ".join(capsys.readouterr().out.split())
    for default in "(default: 160)", "(default: 60)", "(default: 3-4)", "(default: fast)", "(default: auto)":
        assert default in said
    assert run("--version") == 0
    assert capsys.readouterr().out.startswith("ocr-lib ")
