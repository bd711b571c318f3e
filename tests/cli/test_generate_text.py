"""The command that writes rendered words and lines."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ocr_lib.cli.generate_text import main
from ocr_lib.images.decode import read_image
from ocr_lib.images.pixels import Rendition
from ocr_lib.sets.dataset import open_dataset
from tests.cli.generate_command import contents, names

SCRIPT = Path(__file__).parents[2] / "text_generator.py"
RUNNING = "The quick brown fox jumps over the lazy dog, and the dog sleeps on. " * 3


@pytest.fixture
def running(tmp_path):
    path = tmp_path / "running.txt"
    path.write_text(RUNNING)
    return path


def run(*arguments):
    try:
        return main([str(argument) for argument in arguments])
    except SystemExit as exit_:
        return exit_.code


def test_one_image(font, tmp_path, capsys):
    output = tmp_path / "new" / "sample.png"
    assert run(font, "--text", "Hello, world", "--seed", 3, output) == 0
    assert capsys.readouterr().out == f"Image with text Hello, world written to {output}\n"
    image = read_image(output)
    assert image.shape[0] == 32 and image.shape[1] > 100
    assert run(font, output, "--text", "x") == 1
    assert capsys.readouterr().err.endswith(
        f"error: {output} is there already: --overwrite replaces it, another name leaves it alone\n"
    )
    assert run(font, output, "--text", "Hello, world", "--seed", 3, "--overwrite") == 0
    assert np.array_equal(read_image(output), image)


def test_the_script_does_what_the_command_does(font, tmp_path):
    command = [sys.executable, SCRIPT, font, tmp_path / "a.jpg"]
    done = subprocess.run(command, capture_output=True, check=True, timeout=60)
    assert done.stderr == b"" and done.stdout.startswith(b"Image with text ")


def test_style_height_and_colour(font, tmp_path):
    options = "--text", "Colour", "--seed", 1, "--height", 48
    assert run(font, tmp_path / "a.png", *options, "--style", "photo", "--colour") == 0
    assert run(font, tmp_path / "b.png", *options) == 0
    image = read_image(tmp_path / "a.png", Rendition(3))
    assert image.shape[0] == 48 and np.ptp(image.astype(int), axis=2).max() > 10
    assert read_image(tmp_path / "b.png").shape[0] == 48


def test_a_data_set_is_what_it_says(font_dir, running, tmp_path, capsys):
    folder = tmp_path / "set"
    options = font_dir, "--texts", running, "--length", "5-25", "--style", "scan", "--seed", 4, "--num_proc", 1
    assert run(*options, "--count", 30, "--out", folder) == 0
    assert capsys.readouterr().out == f"30 text images and labels.tsv written to {folder}\n"
    dataset = open_dataset(folder)
    assert len(dataset) == 30
    for index in range(30):
        text = dataset.item(index).text
        assert text in RUNNING and 5 <= len(text) <= 25
        assert dataset.read(index, Rendition()).shape[0] == 32
    first = contents(folder)
    (folder / "000007.png").unlink()
    assert run(*options, "--count", 40, "--out", folder) == 0
    longer = contents(folder)
    assert len(names(folder)) == 42
    assert all(longer[name] == digest for name, digest in first.items() if name.endswith(".png"))


def test_the_number_of_workers_changes_nothing(font_dir, running, tmp_path):
    made = []
    for workers in 1, 3:
        folder = tmp_path / f"set{workers}"
        options = "--style", "photo", "--count", 45, "--out", folder, "--num_proc", workers
        assert run(font_dir, "--texts", running, *options) == 0
        made.append(contents(folder))
    assert made[0] == made[1]


def test_records(font, tmp_path, capsys):
    assert run(font, "--count", 5, "--out", tmp_path / "r", "--format", "rec", "--num_proc", 1) == 0
    assert names(tmp_path / "r") == ["texts.idx", "texts.json", "texts.rec"]
    dataset = open_dataset(tmp_path / "r" / "texts.rec")
    assert len(dataset) == 5 and all(dataset.item(index).text.isdigit() for index in range(5))


@pytest.mark.parametrize(
    "arguments, error",
    [
        (["a.png", "--count", 3], "give either OUTPUT for one image, or both --count and --out for a data set"),
        ([], "give either OUTPUT for one image, or both --count and --out for a data set"),
        (["a.png", "--text", " "], "--text is what the one image says that goes to OUTPUT, in place of --texts"),
        (["--text", "a", "--count", 3, "--out", "d"], "--text is what the one image says"),
        (["a.png", "--texts", "none.txt"], "texts none.txt: No such file or directory"),
        (["a.png", "--text", "\u5b57"], "no font that has any of the characters '\u5b57'"),
        (["a.png", "--text", "a\u5b57"], "no font has '\u5b57'"),
        (["a.png", "--alphabet", "ab\u5b57"], "no font has '\u5b57'; leave it out of the alphabet, or add a font"),
        (["a.png", "--style", "foto"], "invalid choice: 'foto'"),
        (["a.png", "--set", "network.hidden=3"], "--set network.hidden: only text and rendering count here"),
        (["a.png", "--set", "rendering.letters.slnt=3"], "rendering.letters.slnt: no such key in a recipe"),
        (["a.png", "--set", "rendering.ground.pictures=none"], "none: no such folder"),
        (["a.png", "--height", 2], "letters of fewer than 8 rows can't be read"),
        (["a.png", "--text", "x" * 3000], "is too long for an image: 3000 characters, lower text.max_length"),
        (["a.txt"], "OpenCV writes no images called .txt; try .png or .jpg"),
        (["--count", 0, "--out", "d"], "--count must be at least 1, not 0"),
    ],
)
def test_wrong_arguments(font, tmp_path, monkeypatch, capsys, arguments, error):
    monkeypatch.chdir(tmp_path)
    assert run(font, *arguments) != 0
    said = capsys.readouterr()
    assert error in said.err and said.err.count("\n") <= 3 and said.out == ""
    assert names(tmp_path) == []


@pytest.mark.parametrize("fonts", ["none.ttf", "none", "text.ttf", "empty"])
def test_wrong_fonts(tmp_path, capsys, fonts):
    (tmp_path / "text.ttf").write_text("no font")
    (tmp_path / "empty").mkdir()
    assert run(tmp_path / fonts, tmp_path / "a.png") == 1
    error = capsys.readouterr().err
    assert f"{tmp_path / fonts}: no" in error and error.count("\n") == 1 and "a.png" not in names(tmp_path)


def test_a_set_of_others_is_left_alone(font, tmp_path, capsys):
    folder = tmp_path / "set"
    assert run(font, "--count", 3, "--out", folder, "--num_proc", 1) == 0
    before = contents(folder)
    for other in ["--style", "scan"], ["--seed", 9], ["--colour"], ["--length", "2"]:
        assert run(font, "--count", 3, "--out", folder, "--num_proc", 1, *other) == 1
        assert "holds other texts, see" in capsys.readouterr().err
    assert contents(folder) == before
