"""A reader of captchas in the fonts of ``font/``, from nothing to a file that is served without MXNet."""

import ocr_lib

ocr_lib.train("reader", fonts="font", settings={"training.epochs": 3})
ocr_lib.export("reader", "reader.onnx", samples="font", int8=True)
reading = ocr_lib.load("reader.onnx").predict("sample.png")
print(reading.text, reading.confidence)
