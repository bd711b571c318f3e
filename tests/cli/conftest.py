"""What the tests of commands that read images share."""

import pytest

from ocr_lib.cli import quantize
from ocr_lib.cli.infer import main
from ocr_lib.recognize import comparison
from tests.cli.infer_command import save_epochs
from tests.cli.quantize_command import write_samples
from tests.cli.running import run_lines, run_main
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


@pytest.fixture(scope="package")
def mark_samples(tmp_path_factory):
    return write_samples(tmp_path_factory.mktemp("samples"))


@pytest.fixture
def trained(tmp_path):
    """Return the prefix of a run of two epochs, the second of them the best, which a test may change."""
    return save(tmp_path / "ocr", mark_recipe(), mark_params(), (1, 2), (0.5, 1.0))


@pytest.fixture
def run_quantize(capsys, trained, mark_samples, monkeypatch):
    """Run the command; return the exit code, stdout, and stderr as lines."""
    monkeypatch.setattr(comparison, "_TURN_S", 0.001)

    def run(*arguments, prefix=trained, samples=mark_samples):
        return run_main(capsys, quantize.main, f"--prefix={prefix}", f"--samples={samples}", *arguments)

    return run
