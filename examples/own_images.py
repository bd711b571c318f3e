"""A reader of labelled images of one's own: trained on a data set, evaluated on another, with its worst lines shown.

python examples/own_images.py images/ more-images/
"""

import sys

import ocr_lib

train_data, test_data = sys.argv[1:]
ocr_lib.train("mine", train_data=train_data, settings={"training.epochs": 20, "training.patience": 5})
evaluation = ocr_lib.evaluate("mine", test_data)
print(evaluation.as_text())
for line in evaluation.worst[:3]:
    print(line.name, line.reference, "read as", line.text)
