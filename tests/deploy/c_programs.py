"""Programs of the C reader, and small networks for them."""

import shutil
import subprocess

import numpy as np

from ocr_lib.deploy.c_source import MODEL, c_files, model_bytes
from ocr_lib.fixed.build import integer_network
from ocr_lib.fixed.steps import LOG2_STEP
from ocr_lib.net.weights import weight_shapes
from ocr_lib.recipe.quantization import parse_shorthand
from ocr_lib.recipe.recipe import Recipe
from ocr_lib.recipe.settings import override
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
