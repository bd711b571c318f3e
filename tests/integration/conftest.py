"""What the tests of whole runs share."""

import pytest


@pytest.fixture(scope="session")
def train():
    """Return a function that runs the training command in a process that all such runs share."""
    from tests.train_command import shared_process  # which skips a test where there is no MXNet

    with shared_process() as train:
        yield train


@pytest.fixture(scope="session")
def trained(train, tmp_path_factory):
    """Return the prefix of a run on captchas of 0 and 7, in floating point."""
    from tests.train_command import trained_toy

    return trained_toy(train, tmp_path_factory.mktemp("trained") / "ocr")
