"""The command that looks at labelled images before training on them."""

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from ocr_lib.cli.inspect import main
from tests.cli.running import run_lines, run_main
from tests.toy import png

ROOT = Path(__file__).parents[2]
CASES = ROOT / ".." / "shared" / "cases"


@pytest.fixture
def folder(tmp_path):
    """Return a set of 24 captchas, of which one is cut off, one is blank, and one has too long a label."""
    made = tmp_path / "set"
    made.mkdir()
    for number in range(24):
        text = "0123456789"[number % 10] * 2 if number != 5 else "7" * 90
        (made / f"{text}_{number}.png").write_bytes(png((20, 60), number))
    (made / "11_1.png").write_bytes(png((20, 60))[:200])
    cv2.imwrite(str(made / "22_2.png"), np.full((20, 60), 255, np.uint8))
    return made


def test_tells_what_samples_are_like_and_what_becomes_of_them(capfd, folder):
    code, told, _ = run_lines(capfd, main, folder)
    assert code == 0
    assert told[0] == "22 samples"
    assert told[1] == "Images 60 wide and 20 high, in pixels"
    assert any(line.startswith("- characters that occur fewer than 5 times: ") for line in told)
    assert any(line.startswith("Recipe: images ") for line in told)
    left_out = told[told.index("3 left out:") + 1 :]
    assert len(left_out) == 3
    for name, fault in ("11_1.png", "cut off"), ("22_2.png", "nothing is to be seen"), ("77", "time steps"):
        assert any(name in line and fault in line for line in left_out)


def test_says_so_if_there_is_nothing_strange(capfd, tmp_path):
    for number in range(20):
        (tmp_path / f"{'ab' if number % 2 else 'ba'}_{number}.png").write_bytes(png((20, 60), number))
    code, told, _ = run_lines(capfd, main, tmp_path)
    assert code == 0 and "Nothing strange was found" in told and not any("left out" in line for line in told)


def test_few_images_are_looked_at_as_well(capfd, tmp_path):
    (tmp_path / "ab.png").write_bytes(png((20, 60)))
    code, told, _ = run_lines(capfd, main, tmp_path)
    assert code == 0 and told[0] == "1 samples"


def test_as_json(capfd, folder):
    code, told, _ = run_main(capfd, main, folder, "--json", "--quiet")
    found = json.loads(told)
    assert code == 0
    assert (found["samples"], len(found["left_out"]), found["sizes"]) == (22, 3, [[60, 20, 22]])
    assert found["lengths"] == {"2": 21, "90": 1} and found["characters"]["7"] == 94
    assert {"kind", "message", "samples"} == found["findings"][0].keys()


def test_page_and_picture(capfd, folder, tmp_path):
    page, picture = tmp_path / "page.html", tmp_path / "sheet.png"
    arguments = (folder, "--html", page, "--augmentation", picture)
    assert main([*map(str, arguments)]) == 0
    assert "22_2.png" in page.read_text()
    sheet = cv2.imread(str(picture))
    assert sheet.shape[0] > 12 * 20 and sheet.shape[1] > 4 * 60
    before = picture.read_bytes()
    capfd.readouterr()
    code, _, (error,) = run_lines(capfd, main, *arguments)
    assert code == 1 and str(page) in error and "--overwrite" in error
    assert main([*map(str, arguments), "--overwrite"]) == 0
    assert picture.read_bytes() == before  # the same seed changes images as it did


def test_the_picture_shows_each_image_as_it_is_and_changed(folder, tmp_path):
    picture = tmp_path / "sheet.png"
    without = ["augmentation.scale=0", "augmentation.shear=0", "augmentation.shift=0", "augmentation.elastic=0"]
    without += ["augmentation.blur=0", "augmentation.noise=0", "augmentation.erosion=0", "augmentation.dilation=0"]
    arguments = [str(folder), "--augmentation", str(picture), "--overwrite"]

    def columns():
        sheet = cv2.imread(str(picture))
        return [
            sheet[:, 6 + place * (sheet.shape[1] - 6) // 4 :][:, : (sheet.shape[1] - 6) // 4 - 6] for place in range(4)
        ]

    assert main([*arguments, *(f"--set={setting}" for setting in without)]) == 0
    first, *others = columns()
    assert all(np.array_equal(first, other) for other in others)
    assert main(arguments) == 0
    changed, *others = columns()
    assert np.array_equal(changed, first)
    assert not any(np.array_equal(first, other) for other in others)


@pytest.mark.parametrize(
    "arguments, fault",
    [
        (["none"], "none: no such file or folder"),
        (["."], "no labelled image"),
        ([".", "--preset", "nothing"], "nothing"),
        ([".", "--augmentation", "/dev/null/sheet.png"], "/dev/null/sheet.png can't be written"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(capfd, tmp_path, monkeypatch, arguments, fault):
    monkeypatch.chdir(tmp_path)
    code, told, errors = run_lines(capfd, main, *arguments)
    assert code == 1 and told == [] and len(errors) == 1 and fault in errors[0]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("options", [[], ["--preset", "captcha"]])
def test_images_of_which_none_can_be_read(capfd, tmp_path, options):
    for number in range(3):
        (tmp_path / f"ab_{number}.png").write_text("hello")
    code, told, errors = run_lines(capfd, main, tmp_path, "--quiet", *options)
    assert code == 1 and told == [] and "no image can be read; the first: " in errors[-1]


def test_neither_mxnet_nor_onnx_is_needed(folder):
    next(folder.glob("777*")).rename(folder / "77_5.png")  # or no network has room for it
    blocked = "import sys; sys.modules.update(mxnet=None, onnx=None); "
    without = blocked + "from ocr_lib.cli.inspect import main; main(sys.argv[1:])"
    command = [sys.executable, "-c", without, str(folder), "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=120)
    told = json.loads(done.stdout)
    assert told["samples"] == 22
    assert any(reason.startswith("the network captcha-distorted to begin with") for reason in told["reasons"])


@pytest.mark.skipif(not CASES.is_dir(), reason="no inputs as people have them beside this project")
@pytest.mark.parametrize(
    "case, told",
    [
        ("invisible-characters", "ZERO WIDTH SPACE (U+200B) in 1"),
        ("colour/equal-luminance", "in colour, since it shows what grey hides"),
        ("vertical/stacked", "turned, as they are upright"),
    ],
)
def test_images_as_people_have_them(capfd, case, told):
    code, output, _ = run_main(capfd, main, CASES / case)
    assert code == 0 and told in output
