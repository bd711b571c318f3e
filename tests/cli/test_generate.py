"""The command that writes captchas."""

import re
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from ocr_lib.files import sha256
from ocr_lib.images.decode import read_image
from tests.cli.generate_command import difference, names, run, start


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


@pytest.mark.parametrize("text", ["0042", "7", "a jar", "999999999999"])
def test_both_renderers_draw_nearly_the_same_captcha(font_dir, tmp_path, text):
    for name in "fast", "captcha", "default":
        extra = [] if name == "default" else ["--renderer", name]
        assert run(font_dir, tmp_path / f"{name}.png", "--num", text, "--seed", 5, *extra) == 0
    assert difference(tmp_path / "fast.png", tmp_path / "captcha.png") < 1
    assert sha256(tmp_path / "default.png") == sha256(tmp_path / "fast.png")


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


def test_settings_change_how_captchas_are_drawn(font, tmp_path):
    ink = []
    for size in 14, 56:
        settings = ["--set", f"captcha.font_sizes=[{size}]", "--set", "captcha.fg_color=[99,99,99,255]"]
        assert run(font, tmp_path / f"{size}.png", "--num", "0000", "--seed", 1, *settings) == 0
        ink.append(np.count_nonzero(read_image(tmp_path / f"{size}.png") < 180))
    assert ink[1] > 3 * ink[0] > 0


@pytest.mark.parametrize("name", ["sample.jpg", "sample.jpeg", "S.PNG"])
def test_a_captcha_of_ours_is_replaced_by_the_next(font, tmp_path, name):
    output = tmp_path / name
    assert run(font, output, "--num", "0042") == 0
    first = sha256(output)
    assert run(font, output, "--num", "17") == 0
    assert names(tmp_path) == [name] and sha256(output) != first
    with Image.open(output) as image:
        image.load()
        told = image.info.get("comment", b"").decode() or image.info["Software"]
    assert told == "captcha by lstm-ocr"


def by_somebody(kind, captcha):
    """Return what may stand where a captcha is to go, be it one that another program has changed."""
    encoded = {"jpg": lambda image: cv2.imencode(".jpg", image), "png": lambda image: cv2.imencode(".png", image)}
    if kind in encoded:
        return encoded[kind](cv2.imdecode(np.frombuffer(captcha, np.uint8), 0))[1].tobytes()
    return {
        "empty": b"",
        "text": b"A captcha by lstm-ocr looks like this.",
        "longer": captcha + b"\n",
        "cut": captcha[1:-1],
        "bmp": b"BM",
    }[kind]


@pytest.mark.parametrize("kind", ["jpg", "png", "empty", "text", "longer", "cut", "bmp"])
def test_anything_else_is_replaced_when_asked(font, tmp_path, capsys, kind):
    output = tmp_path / "sample.png"
    assert run(font, output) == 0
    somebodys = by_somebody(kind, output.read_bytes())
    output.write_bytes(somebodys)
    capsys.readouterr()
    assert run(font, output) == 1
    said, errors = capsys.readouterr()
    assert said == "" and errors.endswith(
        f"error: {output} is there already: --overwrite replaces it, another name leaves it alone\n"
    )
    assert output.read_bytes() == somebodys and names(tmp_path) == ["sample.png"]
    assert run(font, output, "--overwrite") == 0
    assert read_image(output).shape == (60, 160)


def test_a_folder_is_never_replaced(font, tmp_path, capsys):
    (tmp_path / "a.png").mkdir()
    for arguments in [], ["--overwrite"]:
        assert run(font, tmp_path / "a.png", *arguments) == 1
        assert f"{tmp_path}/a.png is a folder: give the name of a file" in capsys.readouterr().err
    assert names(tmp_path / "a.png") == []


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
    (["FONT", "--out", "DIR", "--count", 3, "--overwrite"], "--overwrite goes with OUTPUT: a data set is continued"),
    (["FONT", "OUT.png", "--set", "captcha.font_sizes=[]"], "font_sizes is empty"),
    (["FONT", "OUT.png", "--set", "captcha.font_size=[30]"], "captcha.font_size: no such key in a recipe"),
    (["FONT", "OUT.png", "--set", "captcha.width"], "expected key=value"),
    (["FONT", "OUT.png", "--set", "network.hidden=64"], "--set network.hidden: only captcha counts here"),
    (["FONT", "OUT.png", "--renderer", "quick"], "--renderer: invalid choice: 'quick'"),
    (["FONT", "OUT.png", "--format", "rec"], "--format rec goes with --count and --out"),
    (["FONT", "--out", "DIR", "--count", 3, "--format", "gif"], "--format: invalid choice: 'gif'"),
    (["FONT", "--out", "FONT/DIR", "--count", 3, "--num_proc", 1, "--format", "rec"], "can't be written"),
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
    for default in (
        "(default: 160)",
        "(default: 60)",
        "(default: 3-4)",
        "(default: png)",
        "(default: fast)",
        "(default: auto)",
    ):
        assert default in said
    assert run("--version") == 0
    assert capsys.readouterr().out.startswith("lstm-ocr ")
