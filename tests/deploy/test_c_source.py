"""The C reader: every integer is that of the network's definition, and whatever is no model is refused."""

import os
import shutil
import struct
import subprocess
import zlib

import numpy as np
import pytest

from ocr_lib.deploy.c_source import MODEL, c_files, memory_bytes, model_bytes
from ocr_lib.errors import OCRError
from ocr_lib.fixed.build import integer_network
from ocr_lib.fixed.steps import LOG2_STEP
from ocr_lib.net.weights import weight_shapes
from ocr_lib.recipe.quantization import parse_shorthand
from ocr_lib.recipe.recipe import Recipe
from ocr_lib.recipe.settings import load_preset, override
from ocr_lib.recognize.decode import best_path

COMPILERS = [cc for cc in ("gcc", "clang") if shutil.which(cc)]
STRICT = ["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Wconversion", "-Werror"]
SANITIZE = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
ROOMY = {
    "MAX_WIDTH": 60,
    "MAX_HEIGHT": 40,
    "CONVOLUTIONS": 3,
    "DIRECTIONS": 6,
    "STEPS": 60,
    "TEXT_BYTES": 300,
    "TABLE": 4096,
    "WEIGHTS": 30000,
    "NUMBERS": 60000,
    "SUMS": 20000,
    "CONSTANTS": 3000,
}
TIGHT = {**ROOMY, "WEIGHTS": 2600, "SUMS": 900}
ALPHABET = "0123aé日𝄞"

CONVOLUTIONS = {
    "none": [],
    "one": [{"filters": 3, "batch_norm": False}],
    "pooled": [
        {"filters": 5, "pool": [2, 2], "batch_norm": False},
        {"filters": 6, "pool": [1, 3], "kernel": [5, 1], "batch_norm": False},
    ],
    "unpadded": [
        {"filters": 4, "pool": [3, 1], "kernel": [2, 4], "padding": False, "batch_norm": False},
        {"filters": 18, "pool": [1, 2], "kernel": [1, 2], "padding": False, "batch_norm": False},
        {"filters": 2, "pool": [1, 1], "batch_norm": False},
    ],
}
FIXED, UNIT = ({"kind": kind, "bits": 6} for kind in ("fixed", "fixed_unit"))
TERNARY, BINARY = {"kind": "ternary"}, {"kind": "binary"}
MIXED = [
    {"input": TERNARY, "convolution_output": BINARY, "hidden": BINARY, "recurrent_weight": TERNARY},
    {"input": UNIT, "convolution_output": UNIT, "hidden": TERNARY, "internal": UNIT, "recurrent_weight": BINARY},
    {"convolution_output": TERNARY, "cell": FIXED, "internal": FIXED, "recurrent_bias": BINARY, "hidden": UNIT},
    {"convolution_weight": BINARY, "classifier_weight": BINARY, "classifier_bias": TERNARY, "internal": FIXED},
]

if not COMPILERS:
    pytest.skip("there is no C compiler", allow_module_level=True)


def make_recipe(convolutions="none", bits="W8A8", mixed=None, **settings):
    """Return a small recipe; of an image of 36 by 13, unless it says otherwise."""
    quantization = parse_shorthand(bits)
    parts = {name: {"kind": each.kind, "bits": each.bits} for name, each in quantization.parts()}
    sizes = {
        "image.width": 36,
        "image.height": 13,
        "text.alphabet": ALPHABET,
        "network.convolutions": CONVOLUTIONS[convolutions],
        "network.hidden": 7,
        "network.output_norm": False,
        "quantization": {**parts, **(mixed or {})},
    }
    return override(Recipe(), {**sizes, **{key.replace("__", "."): value for key, value in settings.items()}})


def make_weights(recipe, seed=0):
    """Return parameters whose numbers fill their bits, some cut off, with steps that differ from row to row."""
    rng = np.random.default_rng(seed)
    weights = {}
    for name, shape in weight_shapes(recipe).items():
        if not name.endswith(LOG2_STEP):
            weights[name] = rng.normal(0, 0.4, shape).astype(np.float32)
            continue
        of_what = name[: -len(LOG2_STEP)]
        parts = {"_weight": -3, "_bias": -6, "_output": -2, "cell": -8, "data": -5}
        centre = next(step for end, step in parts.items() if of_what.endswith(end))
        weights[name] = centre + rng.integers(-2, 3, shape).astype(np.float32)
    return weights


def make_network(recipe, seed=0):
    return integer_network(recipe, make_weights(recipe, seed))


def make_images(recipe, count=2, seed=0, width=None):
    size = count, recipe.image.height, width or recipe.image.width
    images = np.random.default_rng(seed).integers(0, 256, size).astype(np.uint8)
    images[0, :, : size[2] // 2] = 255
    return images


def write_pgm(path, image):
    path.write_bytes(b"P5\n# grey\n%d %d\n255\n" % image.shape[::-1] + image.tobytes())
    return str(path)


def run(*command, **options):
    settings = {"capture_output": True, "text": True, "timeout": 100, **options}
    return subprocess.run([str(each) for each in command], check=False, **settings)


def build(folder, name, macros, *flags, cc=COMPILERS[0], main="main.c"):
    defines = [f"-DOCR_{key}={value}" for key, value in macros.items()]
    sources = [folder / each for each in (main, "ocr_reader.c", "model.c")]
    result = run(cc, *STRICT, *flags, *defines, "-o", folder / name, *sources)
    assert result.returncode == 0, result.stderr
    assert not result.stderr
    return folder / name


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder as it is exported."""
    recipe = make_recipe("pooled")
    path = tmp_path_factory.mktemp("c")
    for name, data in c_files(make_network(recipe), recipe, make_images(recipe)).items():
        (path / name).write_bytes(data)
    return path


@pytest.fixture(scope="module")
def can_sanitize(tmp_path_factory):
    path = tmp_path_factory.mktemp("sanitize")
    (path / "empty.c").write_text("int main(void) { return 0; }\n")
    built = run(COMPILERS[0], *SANITIZE, "-o", path / "empty", path / "empty.c").returncode == 0
    return built and run(path / "empty").returncode == 0


@pytest.fixture(scope="module")
def readers(folder, can_sanitize):
    """Return programs: with 64 bits and room for all; with 32; and with so little that parts go one after another."""
    flags = ["-O1", *(SANITIZE if can_sanitize else [])]
    return {
        "roomy": build(folder, "roomy", {**ROOMY, "SUM_BITS": 64}, "-O1"),
        "fast": build(folder, "fast", {**ROOMY, "SUM_BITS": 32}, "-O3", "-march=native"),
        "tight": build(folder, "tight", {**TIGHT, "SUM_BITS": 64}, *flags),
    }


def check_reading(reader, network, recipe, images, tmp_path):
    """Compare texts and logits of a program with those of the definition."""
    model = tmp_path / MODEL
    model.write_bytes(model_bytes(network, recipe))
    for i, image in enumerate(images):
        result = run(reader, "-m", model, "--logits", write_pgm(tmp_path / f"{i}.pgm", image))
        assert result.returncode == 0, result.stderr
        text, *lines = result.stdout.rstrip("\n").split("\n")
        expected = network.logits(image[None])
        np.testing.assert_array_equal(np.array([line.split() for line in lines], np.int64), expected[:, 0])
        (ids,) = best_path(expected)
        assert text == "".join(recipe.text.alphabet[each - 1] for each in ids)


def needs_wide_sums(network, recipe):
    return b"#define OCR_SUM_BITS 64" in c_files(network, recipe, [])["model.h"]


CASES = [
    make_recipe(),
    make_recipe("pooled", "W4A4", network__bidirectional=True),
    make_recipe("one", "W16A16I16", network__layers=1, network__bidirectional=True),
    make_recipe("unpadded", "W1A3", network__bidirectional=True, network__merge="sum"),
    make_recipe("pooled", "W2B8A4I8", network__hidden=17, network__layers=3),
    make_recipe("none", "W16A16", network__bidirectional=True, network__merge="sum"),
    make_recipe("one", "W3A2I2_FC_W5", network__bidirectional=True, network__merge="sum", image__mean=255.0),
    make_recipe("pooled", "W8A8", image__mean=255.0, image__scale=-255.0, network__bidirectional=True),
    make_recipe("unpadded", "W5B7A9I12", network__layers=1),
    make_recipe("none", "W8A8", network__hidden=19, text__alphabet="01"),
    make_recipe("pooled", "W4A4", {"weight_bits": {"conv0": 7, "l0": 6, "l1": 3, "pred_fc": 9}}),
    *(
        make_recipe(convolutions, "W4A5", mixed, network__bidirectional=True, network__merge=merge)
        for mixed in MIXED
        for convolutions, merge in (("pooled", "concat"), ("one", "sum"))
    ),
]


@pytest.mark.parametrize("i", range(len(CASES)))
def test_every_integer_is_that_of_the_definition(readers, tmp_path, i):
    recipe = CASES[i]
    network = make_network(recipe, i)
    images = make_images(recipe, seed=i)
    for name, reader in readers.items():
        if name != "fast" or not needs_wide_sums(network, recipe):
            check_reading(reader, network, recipe, images, tmp_path)


@pytest.mark.parametrize("seed", range(16))
def test_random_networks(readers, tmp_path, seed):
    rng = np.random.default_rng(seed)
    bits = f"W{rng.integers(1, 17)}B{rng.integers(2, 17)}A{rng.integers(2, 17)}I{rng.integers(2, 17)}"
    recipe = make_recipe(
        rng.choice(list(CONVOLUTIONS)),
        bits,
        image__height=int(rng.integers(12, 20)),
        image__width=int(rng.integers(20, 60)),
        network__layers=int(rng.integers(1, 4)),
        network__hidden=int(rng.integers(1, 20)),
        network__bidirectional=bool(rng.integers(2)),
        network__merge=str(rng.choice(["concat", "sum"])),
    )
    network = make_network(recipe, seed)
    images = make_images(recipe, seed=seed)
    check_reading(readers["tight"], network, recipe, images, tmp_path)
    if not needs_wide_sums(network, recipe):
        check_reading(readers["fast"], network, recipe, images, tmp_path)


@pytest.mark.parametrize("convolutions", ["none", "unpadded"])
def test_any_width(readers, tmp_path, convolutions):
    recipe = make_recipe(convolutions, image__width=None)
    network = make_network(recipe)
    images = [make_images(recipe, 1, seed=width, width=width)[0] for width in (4, 9, 31, 60)]
    for reader in readers.values():
        check_reading(reader, network, recipe, images, tmp_path)
    model = tmp_path / MODEL
    wide = write_pgm(tmp_path / "wide.pgm", make_images(recipe, 1, width=61)[0])
    result = run(readers["roomy"], "-m", model, wide)
    expected = f"ocr_reader: error: {wide}: 61 by 13 pixels, but the network reads up to 60 by 13\n"
    assert (result.returncode, result.stderr) == (1, expected)
    if convolutions == "unpadded":
        narrow = write_pgm(tmp_path / "narrow.pgm", make_images(recipe, 1, width=3)[0])
        assert "too narrow" in run(readers["roomy"], "-m", model, narrow).stderr


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


def test_a_wrong_reading_fails_the_self_test(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "copy")
    golden = tmp_path / "copy" / "golden.h"
    golden.write_text(golden.read_text().replace("0x", "1 ^ 0x", 1))
    result = run("make", "-s", "test", "CFLAGS=-O0", f"CC={COMPILERS[0]}", cwd=tmp_path / "copy")
    assert result.returncode != 0
    assert "image 0: other logits" in result.stdout


@pytest.mark.parametrize("cc", COMPILERS)
@pytest.mark.parametrize("bits", [32, 64])
def test_strict_flags(folder, cc, bits):
    build(folder, f"strict-{cc}-{bits}", {"SUM_BITS": bits}, "-O2", cc=cc)
    build(folder, f"selftest-{cc}-{bits}", {"SUM_BITS": bits}, "-O2", cc=cc, main="selftest.c")


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
def test_what_is_no_model_is_refused_in_one_line(folder, readers, tmp_path, damage):
    change, words = DAMAGES[damage]
    path = tmp_path / "other.bin"
    path.write_bytes(change((folder / MODEL).read_bytes()))
    result = run(readers["tight"], "-m", path, "x.pgm")
    assert result.returncode == 2
    assert result.stderr.startswith(f"ocr_reader: error: {path}: ")
    assert words in result.stderr
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""


@pytest.mark.parametrize("macro", ["WEIGHTS", "NUMBERS", "SUMS", "CONSTANTS", "TABLE", "STEPS", "TEXT_BYTES"])
def test_too_little_memory_is_told_by_its_macro(folder, macro):
    reader = build(folder, f"little-{macro}", {macro: 10}, "-O0")
    result = run(reader, "x.pgm")
    assert result.returncode == 2
    assert f"raise OCR_{macro}" in result.stderr


def test_sums_that_need_64_bits_are_refused_by_32(readers, tmp_path):
    recipe = CASES[2]
    network = make_network(recipe)
    assert needs_wide_sums(network, recipe)
    (tmp_path / MODEL).write_bytes(model_bytes(network, recipe))
    assert "raise OCR_SUM_BITS" in run(readers["fast"], "-m", tmp_path / MODEL, "x.pgm").stderr


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
def test_pgm_files(readers, folder, tmp_path, text):
    path = tmp_path / "image.pgm"
    path.write_text(text)
    result = run(readers["tight"], "-m", folder / MODEL, path)
    words = PGM[text]
    assert result.returncode == (0 if words is None else 1)
    if words is not None:
        assert result.stderr.startswith(f"ocr_reader: error: {path}: ")
        assert words in result.stderr
        assert result.stderr.count("\n") == 1


def test_all_images_are_read_though_one_cannot_be(readers, folder, tmp_path):
    recipe = make_recipe("pooled")
    good = write_pgm(tmp_path / "good.pgm", make_images(recipe)[1])
    result = run(readers["roomy"], "-m", folder / MODEL, tmp_path / "absent.pgm", good)
    assert result.returncode == 1
    assert "absent.pgm: can't be opened" in result.stderr
    assert result.stdout.startswith(f"{good}: ")
    usage = run(readers["roomy"])
    assert (usage.returncode, usage.stderr[:6]) == (2, "usage:")
    assert run(readers["roomy"], "-m", tmp_path / "absent.bin", good).returncode == 2


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
def test_random_damage_is_survived(folder, readers, tmp_path):
    """Sealed models with random bytes changed are refused or read, but never end the program."""
    rng = np.random.default_rng(0)
    body = bytearray((folder / MODEL).read_bytes()[16:])
    image = write_pgm(tmp_path / "image.pgm", make_images(make_recipe())[1])
    for i in range(60):
        damaged = bytearray(body)
        for place in rng.integers(0, [60, len(body)][i % 2], 1 + i % 3):
            damaged[place] = rng.integers(256)
        (tmp_path / MODEL).write_bytes(sealed(bytes(damaged)))
        assert run(readers["tight"], "-m", tmp_path / MODEL, image).returncode in (0, 1, 2)
