"""What the tests of the C reader and of the page share."""

import pytest

from ocr_lib.deploy.c_source import c_files
from ocr_lib.deploy.web_page import web_page
from tests.deploy.c_programs import (
    COMPILERS,
    ROOMY,
    SANITIZE,
    TIGHT,
    build,
    make_images,
    make_network,
    make_recipe,
    run,
)


@pytest.fixture(scope="package")
def c_folder(tmp_path_factory):
    """Return a folder as it is exported."""
    recipe = make_recipe("pooled")
    path = tmp_path_factory.mktemp("c")
    for name, data in c_files(make_network(recipe), recipe, make_images(recipe)).items():
        (path / name).write_bytes(data)
    return path


@pytest.fixture(scope="package")
def can_sanitize(tmp_path_factory):
    path = tmp_path_factory.mktemp("sanitize")
    (path / "empty.c").write_text("int main(void) { return 0; }\n")
    built = run(COMPILERS[0], *SANITIZE, "-o", path / "empty", path / "empty.c").returncode == 0
    return built and run(path / "empty").returncode == 0


@pytest.fixture(scope="package")
def c_readers(c_folder, can_sanitize):
    """Return programs: with 64 bits and room for all; with 32, for this processor and for any; and with so little room
    that parts go one after another."""
    checks = SANITIZE if can_sanitize else []
    return {
        "roomy": build(c_folder, "roomy", {**ROOMY, "SUM_BITS": 64}, "-O1"),
        "fast": build(c_folder, "fast", {**ROOMY, "SUM_BITS": 32}, "-O3", "-march=native", *checks),
        "portable": build(c_folder, "portable", {**ROOMY, "SUM_BITS": 32}, "-O1"),
        "tight": build(c_folder, "tight", {**TIGHT, "SUM_BITS": 64}, "-O1", *checks),
    }


@pytest.fixture
def open_page(browser, tmp_path):
    """Return a function that opens the page of a network from a disk, offline."""
    from tests.chromium import opening  # what it needs is not everywhere

    with opening(browser) as open_url:

        def open_page(recipe, network=None, images=(), **options):
            path = tmp_path / "reader.html"
            path.write_bytes(web_page(network or make_network(recipe), recipe, "small", images))
            return open_url(path.as_uri(), offline=True, **options)

        yield open_page
