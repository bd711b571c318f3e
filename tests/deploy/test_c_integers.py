"""Every integer of the C reader is that of the network's definition."""

import numpy as np
import pytest

from ocr_lib.deploy.c_source import MODEL
from tests.deploy.c_programs import (
    CASES,
    COMPILERS,
    CONVOLUTIONS,
    check_reading,
    make_images,
    make_network,
    make_recipe,
    needs_wide_sums,
    run,
    write_pgm,
)

OF_32_BITS = "fast", "portable"

if not COMPILERS:
    pytest.skip("there is no C compiler", allow_module_level=True)


@pytest.mark.parametrize("i", range(len(CASES)))
def test_every_integer_is_that_of_the_definition(c_readers, tmp_path, i):
    recipe = CASES[i]
    network = make_network(recipe, i)
    images = make_images(recipe, seed=i)
    for name, reader in c_readers.items():
        if name not in OF_32_BITS or not needs_wide_sums(network, recipe):
            check_reading(reader, network, recipe, images, tmp_path)


@pytest.mark.parametrize("seed", range(16))
def test_random_networks(c_readers, tmp_path, seed):
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
    check_reading(c_readers["tight"], network, recipe, images, tmp_path)
    if not needs_wide_sums(network, recipe):
        check_reading(c_readers["fast"], network, recipe, images, tmp_path)


@pytest.mark.parametrize("convolutions", ["none", "unpadded"])
def test_any_width(c_readers, tmp_path, convolutions):
    recipe = make_recipe(convolutions, image__width=None)
    network = make_network(recipe)
    images = [make_images(recipe, 1, seed=width, width=width)[0] for width in (4, 9, 31, 60)]
    for reader in c_readers.values():
        check_reading(reader, network, recipe, images, tmp_path)
    model = tmp_path / MODEL
    wide = write_pgm(tmp_path / "wide.pgm", make_images(recipe, 1, width=61)[0])
    result = run(c_readers["roomy"], "-m", model, wide)
    expected = f"ocr_reader: error: {wide}: 61 by 13 pixels, but the network reads up to 60 by 13\n"
    assert (result.returncode, result.stderr) == (1, expected)
    if convolutions == "unpadded":
        narrow = write_pgm(tmp_path / "narrow.pgm", make_images(recipe, 1, width=3)[0])
        assert "too narrow" in run(c_readers["roomy"], "-m", model, narrow).stderr
