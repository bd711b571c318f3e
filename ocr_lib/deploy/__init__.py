"""Models without MXNet: ONNX files, and what reads images with them."""

from ocr_lib.deploy.predictor import Predictor

__all__ = ["Predictor"]
