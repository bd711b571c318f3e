"""What the tests of quantized networks share."""

import pytest

from ocr_lib.net.checkpoint import load_checkpoint
from tests.small_network import save, smooth_params


@pytest.fixture
def make_checkpoint(tmp_path):
    def make(recipe, params=None):
        return load_checkpoint(save(tmp_path / "ocr", recipe, smooth_params(recipe) if params is None else params))

    return make
