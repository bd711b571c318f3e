"""What several test modules share."""

import logging
import signal
import sys
from pathlib import Path

import pytest
from fontTools import subset
from fontTools.ttLib import TTFont
from hypothesis import settings

settings.register_profile("without deadlines", deadline=None)  # machines may be slow, and busy with others
settings.load_profile("without deadlines")

if sys.version_info >= (3, 13):

    class _NoMXNet:
        """Skips what imports MXNet, be it a module of tests or a single one."""

        @staticmethod
        def find_spec(name, path=None, target=None):
            if name == "ocr_lib.mx":
                pytest.skip("MXNet 1.9.1 runs on Python 3.8 to 3.12", allow_module_level=True)

    sys.meta_path.insert(0, _NoMXNet)

TESTS = Path(__file__).parent
FONT_DIR = TESTS.parent / "font"
LONG = ["integration", "jobs", "launch", "training", "test_examples.py", "test_library.py", "test_compiled.py", "cli"]


def pytest_configure(config):
    config.option.loadscopereorder = False  # xdist would begin with what has the most tests


def pytest_collection_modifyitems(items):
    """Begin with what takes long, so that no worker is left with it in the end."""

    def place(item):
        folder = item.path.relative_to(TESTS).parts[0]
        return LONG.index(folder) if folder in LONG else len(LONG)

    items.sort(key=place)


@pytest.fixture(scope="session", autouse=True)
def _ctrl_c_works():
    # Shells start background jobs with SIGINT ignored, and so would be all that tests start.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _logs_go_nowhere_else_afterwards():
    # Commands that tests run in their own process log to the standard error that the test had.
    yield
    logger = logging.getLogger("ocr_lib")
    logger.handlers, logger.propagate = [], True
    logger.setLevel(logging.NOTSET)


@pytest.fixture(scope="module")  # and no longer: where it runs, no other event loop may
def browser():
    from tests.chromium import browsing

    with browsing() as browser:
        yield browser


@pytest.fixture(scope="session")
def font_dir():
    return FONT_DIR


@pytest.fixture(scope="session")
def font():
    return FONT_DIR / "Ubuntu-M.ttf"


@pytest.fixture(scope="session")
def subset_font(font):
    """Return a function that writes a font with the glyphs of some characters only."""

    def write(path, characters):
        subsetter = subset.Subsetter()
        subsetter.populate(text=characters)
        with TTFont(font) as parsed:
            subsetter.subset(parsed)
            parsed.save(path)
        return path

    return write
