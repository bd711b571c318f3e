"""Data sets of captchas: files beside their texts, or RecordIO."""

import fcntl
import json
import os
import pty
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time

import pytest

from ocr_lib.files import sha256
from ocr_lib.images.decode import read_image
from ocr_lib.sets.dataset import open_dataset
from tests.cli.generate_command import SCRIPT, contents, difference, names, run, start

COUNT = 300
SEED = 11


@pytest.fixture(scope="module")
def undisturbed(font_dir, tmp_path_factory):
    """Return the files of a data set that one worker wrote without a break."""
    folder = tmp_path_factory.mktemp("sets") / "undisturbed"
    assert run(font_dir, "--count", COUNT, "--out", folder, "--seed", SEED, "--num_proc", 1, "--quiet") == 0
    return folder


def test_both_renderers_write_nearly_the_same_data_set(undisturbed, font_dir, tmp_path):
    arguments = [font_dir, "--count", 30, "--seed", SEED, "--num_proc", 1]
    assert run(*arguments, "--out", tmp_path, "--renderer", "captcha") == 0
    labels = (tmp_path / "labels.tsv").read_text().splitlines()
    assert labels == (undisturbed / "labels.tsv").read_text().splitlines()[:30]
    for name in (f"{index:06d}.png" for index in range(30)):
        assert difference(tmp_path / name, undisturbed / name) < 1
        assert sha256(tmp_path / name) != sha256(undisturbed / name)


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
    assert difference(tmp_path / "a.png", undisturbed / "000000.png") == 0


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


@pytest.mark.parametrize("change", ["000000.png\t999\n", "mine.png\t12\n", "# checked by hand\n"])
def test_labels_that_the_user_has_changed_are_left_alone(font, tmp_path, capsys, change):
    arguments = [font, "--out", tmp_path, "--num_proc", 1]
    assert run(*arguments, "--count", 3) == 0
    labels = tmp_path / "labels.tsv"
    labels.write_text(change + "".join(labels.read_text().splitlines(keepends=True)[1:]))
    before = sha256(labels)
    capsys.readouterr()
    for count in (3, 5):
        assert run(*arguments, "--count", count) == 1
        said, errors = capsys.readouterr()
        assert said == ""
        assert errors.endswith(f"error: {labels} was changed since it was written: move it away, and run this again\n")
    assert sha256(labels) == before
    labels.rename(tmp_path / "mine.tsv")
    assert run(*arguments, "--count", 5) == 0
    assert len(labels.read_text().splitlines()) == 5 and sha256(tmp_path / "mine.tsv") == before


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


@pytest.mark.parametrize("format_", [None, 1, 2, 4])
def test_a_data_set_of_another_format_is_left_alone(font, tmp_path, capsys, format_):
    arguments = [font, "--count", 2, "--out", tmp_path / "set", "--num_proc", 1]
    assert run(*arguments) == 0
    settings = tmp_path / "set" / "captchas.json"
    tree = json.loads(settings.read_text())
    assert tree.pop("format") == 3
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


def as_records(folder, count=COUNT):
    return ["--count", count, "--out", folder, "--seed", SEED, "--format", "rec"]


@pytest.fixture(scope="module")
def records(font_dir, tmp_path_factory):
    """Return the same data set as `undisturbed`, in one file."""
    folder = tmp_path_factory.mktemp("records")
    assert run(font_dir, *as_records(folder), "--num_proc", 1, "--quiet") == 0
    return folder


def test_records_have_the_same_images_and_texts_as_files(undisturbed, records):
    assert names(records) == ["captchas.idx", "captchas.json", "captchas.rec"]
    assert sha256(records / "captchas.json") == sha256(undisturbed / "captchas.json")
    ours, files = open_dataset(records), open_dataset(undisturbed)
    assert len(ours) == len(files) == COUNT and ours.problems == []
    for index in range(COUNT):
        assert ours.item(index).text == files.item(index).text
        assert ours.read_file(index) == files.read_file(index)


def test_mxnet_reads_the_records(records, undisturbed):
    from ocr_lib.mx import mx

    reader = mx.recordio.MXIndexedRecordIO(str(records / "captchas.idx"), str(records / "captchas.rec"), "r")
    assert reader.keys == list(range(COUNT))
    header, image = mx.recordio.unpack_img(reader.read_idx(7), 0)
    assert (
        f"000007.png\t{''.join(chr(int(code)) for code in header.label)}"
        in (undisturbed / "labels.tsv").read_text().splitlines()
    )
    assert (image == read_image(undisturbed / "000007.png")).all() and header.id == 7


@pytest.mark.parametrize("num_proc", [2, "auto"])
def test_the_records_do_not_depend_on_the_number_of_workers(records, font_dir, tmp_path, capsys, num_proc):
    folder = tmp_path / "set"
    assert run(font_dir, *as_records(folder), "--num_proc", num_proc) == 0
    told = f"{COUNT} captcha images and their texts as captchas.rec and captchas.idx written to {folder}\n"
    assert tuple(capsys.readouterr()) == (told, "")
    assert contents(folder) == contents(records)


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGKILL])
def test_records_are_whole_or_absent(records, font_dir, tmp_path, stop):
    folder = tmp_path / "set"
    process = start(font_dir, *as_records(folder, 10**6), "--num_proc", 1, start_new_session=True)
    while not any(path.stat().st_size for path in folder.glob(".captchas.rec.tmp")):
        assert process.poll() is None
        time.sleep(0.002)
    os.killpg(process.pid, stop)
    process.communicate(timeout=60)
    assert not {*names(folder)} & {"captchas.rec", "captchas.idx"}
    assert run(font_dir, *as_records(folder)) == 0
    assert contents(folder) == contents(records)


def test_another_set_of_records_is_left_alone(records, font_dir, tmp_path, capsys):
    shutil.copytree(records, tmp_path / "set")
    for seed, told in (SEED, "captchas.rec is there already"), (SEED + 1, "holds other captchas"):
        arguments = [*as_records(tmp_path / "set"), "--seed", seed, "--num_proc", 1]
        assert run(font_dir, *arguments) == 1
        assert told in capsys.readouterr().err
    assert contents(tmp_path / "set") == contents(records)
