"""What the tests of libwarpctc share."""

import pytest

from ocr_lib.errors import OCRError
from ocr_lib.net import warpctc


@pytest.fixture(scope="module")
def library():
    try:
        return warpctc.Library(warpctc.find_library())
    except OCRError as error:
        pytest.skip(str(error))
