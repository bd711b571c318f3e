"""What the tests of commands that read images share."""

import pytest

from ocr_lib.cli.infer import main
from tests.cli.infer_command import save_epochs
from tests.cli.running import run_lines
from tests.deploy.models import mark_model
from tests.small_network import LETTERS, mark_params, mark_recipe, save


@pytest.fixture(scope="module")
def prefix(tmp_path_factory):
    return save_epochs(tmp_path_factory.mktemp("digits"))


@pytest.fixture(scope="module")
def letters_prefix(tmp_path_factory):
    return save(tmp_path_factory.mktemp("letters") / "ocr", mark_recipe(LETTERS), mark_params())


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "ocr.onnx"
    path.write_bytes(mark_model())
    return path


@pytest.fixture
def infer(capsys, prefix):
    return lambda *arguments, prefix=prefix: run_lines(capsys, main, f"--prefix={prefix}", *arguments)
