"""The one place that imports OpenCV: ``from ocr_lib.cv import cv2``."""

import os

MAX_PIXELS = 50_000_000
# OpenCV compares this with the size in a file's header, before it decodes anything, and reads it when it is loaded.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(MAX_PIXELS))
# It would print lines of its own about files that are then refused by name.
os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")

import cv2 as cv2  # noqa: E402
