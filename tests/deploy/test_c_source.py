"""What is exported as C: it builds, tests itself, and refuses whatever is no model or no image."""

import os
import shutil
import struct
import zlib

import numpy as np
import pytest

from ocr_lib.deploy.c_source import MODEL, c_files, memory_bytes, model_bytes
from ocr_lib.errors import OCRError
from ocr_lib.fixed.build import integer_network
from ocr_lib.fixed.steps import LOG2_STEP
from ocr_lib.net.weights import weight_shapes
from ocr_lib.recipe.quantization import parse_shorthand
from ocr_lib.recipe.settings import load_preset, override
from tests.deploy.c_programs import (
    CASES,
    COMPILERS,
    build,
    make_images,
    make_network,
    make_recipe,
    make_weights,
    needs_wide_sums,
    run,
    write_pgm,
)

if not COMPILERS:
    pytest.skip("there is no C compiler", allow_module_level=True)


@pytest.mark.parametrize("i", [1, 2, 3, 5, 9])
def test_exported_folders_test_themselves(tmp_path, i):
    recipe = CASES[i]
    network = make_network(recipe, i)
    images = make_images(recipe, 3)
    for name, data in c_files(network, recipe, images).items():
        (tmp_path / name).write_bytes(data)
    for memory in ("-DOCR_FAST", ""):
        run("make", "clean", cwd=tmp_path)
        result = run("make", "-s", "test", "CFLAGS=-O0", f"MEMORY={memory}", f"CC={COMPILERS[0]}", cwd=tmp_path)
        assert (result.returncode, result.stdout) == (0, "3 images, 0 failed\n"), result.stderr


def test_a_wrong_reading_fails_the_self_test(c_folder, tmp_path):
    shutil.copytree(c_folder, tmp_path / "copy")
    golden = tmp_path / "copy" / "golden.h"
    golden.write_text(golden.read_text().replace("0x", "1 ^ 0x", 1))
    result = run("make", "-s", "test", "CFLAGS=-O0", f"CC={COMPILERS[0]}", cwd=tmp_path / "copy")
    assert result.returncode != 0
    assert "image 0: other logits" in result.stdout


@pytest.mark.parametrize("cc", COMPILERS)
@pytest.mark.parametrize("bits", [32, 64])
def test_strict_flags(c_folder, cc, bits):
    level = "-O0" if "clang" in cc else "-O2"  # with which gcc alone sees more to warn of
    build(c_folder, f"strict-{cc}-{bits}", {"SUM_BITS": bits}, level, cc=cc)
    build(c_folder, f"selftest-{cc}-{bits}", {"SUM_BITS": bits}, level, cc=cc, main="selftest.c")


def sealed(body):
    return b"OCRi" + struct.pack("<III", 1, len(body) + 16, zlib.crc32(body)) + body


DAMAGES = {
    "empty": (lambda data: b"", "no model of ours"),
    "another file": (lambda data: b"\x89PNG" + data, "no model of ours"),
    "another version": (lambda data: data[:4] + b"\2" + data[5:], "another version"),
    "cut off": (lambda data: data[:-1], "cut off"),
    "too long": (lambda data: data + b"\0", "cut off"),
    "header alone": (lambda data: data[:16], "cut off"),
    "one bit": (lambda data: data[:99] + bytes([data[99] ^ 4]) + data[100:], "checksum"),
    "sealed but short": (lambda data: sealed(data[16:-1]), "what it states can't be"),
    "sealed but long": (lambda data: sealed(data[16:] + b"\0"), "what it states can't be"),
    "sealed and empty": (lambda data: sealed(b""), "what it states can't be"),
    "of many layers": (lambda data: sealed(data[16:25] + b"\xff" + data[26:]), "raise OCR_DIRECTIONS"),
    "of wide images": (lambda data: sealed(data[16:18] + b"\0\xf0" + data[20:]), "raise OCR_MAX_WIDTH"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_no_model_is_refused_in_one_line(c_folder, c_readers, tmp_path, damage):
    change, words = DAMAGES[damage]
    path = tmp_path / "other.bin"
    path.write_bytes(change((c_folder / MODEL).read_bytes()))
    result = run(c_readers["tight"], "-m", path, "x.pgm")
    assert result.returncode == 2
    assert result.stderr.startswith(f"ocr_reader: error: {path}: ")
    assert words in result.stderr
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""


@pytest.mark.parametrize("macro", ["WEIGHTS", "NUMBERS", "SUMS", "CONSTANTS", "TABLE", "STEPS", "TEXT_BYTES"])
def test_too_little_memory_is_told_by_its_macro(c_folder, macro):
    reader = build(c_folder, f"little-{macro}", {macro: 10}, "-O0")
    result = run(reader, "x.pgm")
    assert result.returncode == 2
    assert f"raise OCR_{macro}" in result.stderr


def test_sums_that_need_64_bits_are_refused_by_32(c_readers, tmp_path):
    recipe = CASES[2]
    network = make_network(recipe)
    assert needs_wide_sums(network, recipe)
    (tmp_path / MODEL).write_bytes(model_bytes(network, recipe))
    assert "raise OCR_SUM_BITS" in run(c_readers["fast"], "-m", tmp_path / MODEL, "x.pgm").stderr


PGM = {
    "P2 36 13 255 " + "7 " * (36 * 13): None,
    "P2#a\n36 #b\n\n13\t255\n" + "7\n" * (36 * 13): None,
    "P2 36 13 15 " + "7 " * (36 * 13 - 1) + "16": "damaged",
    "P2 36 13 255 " + "7 " * (36 * 13 - 1): "cut off",
    "P5 36 13 255\n" + "x" * (36 * 13 - 1): "cut off",
    "P5 36 13 65535\n": "8 bits",
    "P5 36 14 255\n": "36 by 14 pixels, but the network reads 36 by 13",
    "P5 99999999999999999999 13 255\n": "but the network reads 36 by 13",
    "P5 -36 13 255\n": "damaged",
    "P5 36": "damaged",
    "P5 36 13 0\n": "damaged",
    "P6 36 13 255\n": "no grey PGM",
    "": "no grey PGM",
    "PNG": "no grey PGM",
}


@pytest.mark.parametrize("text", PGM, ids=range(len(PGM)))
def test_pgm_files(c_readers, c_folder, tmp_path, text):
    path = tmp_path / "image.pgm"
    path.write_text(text)
    result = run(c_readers["tight"], "-m", c_folder / MODEL, path)
    words = PGM[text]
    assert result.returncode == (0 if words is None else 1)
    if words is not None:
        assert result.stderr.startswith(f"ocr_reader: error: {path}: ")
        assert words in result.stderr
        assert result.stderr.count("\n") == 1


def test_all_images_are_read_though_one_cannot_be(c_readers, c_folder, tmp_path):
    recipe = make_recipe("pooled")
    good = write_pgm(tmp_path / "good.pgm", make_images(recipe)[1])
    result = run(c_readers["roomy"], "-m", c_folder / MODEL, tmp_path / "absent.pgm", good)
    assert result.returncode == 1
    assert "absent.pgm: can't be opened" in result.stderr
    assert result.stdout.startswith(f"{good}: ")
    usage = run(c_readers["roomy"])
    assert (usage.returncode, usage.stderr[:6]) == (2, "usage:")
    assert run(c_readers["roomy"], "-m", tmp_path / "absent.bin", good).returncode == 2


def test_sizes_of_the_captcha_network():
    preset = load_preset("captcha")
    quantization = parse_shorthand("W4A4")
    convolutions = [
        {"filters": c.filters, "pool": list(c.pool), "batch_norm": False} for c in preset.network.convolutions
    ]
    parts = {name: {"kind": each.kind, "bits": each.bits} for name, each in quantization.parts()}
    recipe = override(preset, {"network.convolutions": convolutions, "quantization": parts})
    network = make_network(recipe)
    floats = 4 * sum(np.prod(shape) for name, shape in weight_shapes(recipe).items() if LOG2_STEP not in name)
    assert len(model_bytes(network, recipe)) < 0.15 * floats
    memory = memory_bytes(network, recipe)
    assert memory.ram < 100_000 < memory.fast_ram
    assert memory.flash < 100_000


def test_what_the_reader_has_no_room_for_is_refused():
    recipe = make_recipe()
    weights = make_weights(recipe)
    weights["l0_cell" + LOG2_STEP][:] = 60
    with pytest.raises(OCRError, match="too far apart"):
        model_bytes(integer_network(recipe, weights), recipe)
    large = make_recipe(image__height=70000, network__hidden=1)
    with pytest.raises(OCRError, match="more than the C reader has room for"):
        model_bytes(make_network(large), large)


@pytest.mark.skipif(os.name != "posix", reason="processes are limited by POSIX means")
def test_random_damage_is_survived(c_folder, c_readers, tmp_path):
    """Sealed models with random bytes changed are refused or read, but never end the program."""
    rng = np.random.default_rng(0)
    body = bytearray((c_folder / MODEL).read_bytes()[16:])
    image = write_pgm(tmp_path / "image.pgm", make_images(make_recipe())[1])
    for i in range(60):
        damaged = bytearray(body)
        for place in rng.integers(0, [60, len(body)][i % 2], 1 + i % 3):
            damaged[place] = rng.integers(256)
        (tmp_path / MODEL).write_bytes(sealed(bytes(damaged)))
        assert run(c_readers["tight"], "-m", tmp_path / MODEL, image).returncode in (0, 1, 2)
