"""What the tests of commands that read images share."""

import pytest

from tests.cli.infer_command import run_main, save_epochs
from tests.small_network import LETTERS, mark_params, mark_recipe, save


@pytest.fixture(scope="module")
def prefix(tmp_path_factory):
    return save_epochs(tmp_path_factory.mktemp("digits"))


@pytest.fixture(scope="module")
def letters_prefix(tmp_path_factory):
    return save(tmp_path_factory.mktemp("letters") / "ocr", mark_recipe(LETTERS), mark_params())


@pytest.fixture
def infer(capsys, prefix):
    return lambda *arguments, prefix=prefix: run_main(capsys, prefix, *arguments)
