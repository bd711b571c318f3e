"""The one place that imports OpenCV: ``from ocr_lib.cv import cv2``."""

import os
from typing import Any, List

MAX_PIXELS = 50_000_000
# OpenCV compares this with the size in a file's header, before it decodes anything, and reads it when it is loaded.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(MAX_PIXELS))

import cv2 as cv2  # noqa: E402

# It would print lines of its own about files that are then refused by name. The variable OPENCV_LOG_LEVEL would not do:
# it is read when OpenCV is loaded, by whomever, and is the user's to set.
_SILENT = 0
_places: List[Any] = [cv2, getattr(getattr(cv2, "utils", None), "logging", None)]  # in OpenCV 4, in 5
for _place in _places:
    if hasattr(_place, "setLogLevel"):
        _place.setLogLevel(_SILENT)
