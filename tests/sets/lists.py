"""A few images, and what tests write and read of lists of them."""

import json

import cv2
import numpy as np

from ocr_lib.sets.dataset import open_dataset

PNG = cv2.imencode(".png", np.full((8, 30), 200, np.uint8))[1].tobytes()
NAMES = [f"img_{number:04d}.png" for number in range(6)]
TEXTS = ["7741", "6 85", "9,0", "é", "a;b", "2222"]
PAIRS = dict(zip(NAMES, TEXTS))


def png(seed, shape=(20, 50)):
    image = np.random.default_rng(seed).integers(0, 255, shape, np.uint8)
    return cv2.imencode(".png", image)[1].tobytes()


def write_images(folder):
    for name in NAMES:
        (folder / name).write_bytes(PNG)
    return folder


def lines(row, texts=TEXTS):
    return "".join(row.format(n=name, t=text) + "\n" for name, text in zip(NAMES, texts))


def read(path, **options):
    dataset = open_dataset(path, max_problems=0, **options)
    return dict(dataset.item(index) for index in range(len(dataset)))


LISTS = {
    "labels.txt": lines("{n}\t{t}"),
    "gt.txt": lines('{n}, "{t}"'),
    "any.txt": lines("{n} {t}"),
    "train.csv": "filename,words\n" + lines("{n},{t}"),
    "quoted.csv": lines('"{n}","{t}"'),
    "windows.csv": "file_name;text\r\n" + lines('{n};"{t}"').replace("\n", "\r\n"),
    "texts first.tsv": "text\timage\n" + lines("{t}\t{n}"),
    "untitled.tsv": lines("{t}\t{n}"),
    "german.tsv": "Datei\tAufschrift\n" + lines("{n}\t{t}"),
    "numbered.csv": ",image_path,label\n" + lines('0,{n},"{t}"'),
    "no-ending.tsv": lines("{n}\t{t}").replace(".png", ""),
    "map.json": json.dumps(PAIRS),
    "list.json": json.dumps([{"file_name": name, "transcription": text} for name, text in PAIRS.items()]),
    "nested.json": json.dumps({"version": 1, "data": [{"image": name, "text": text} for name, text in PAIRS.items()]}),
    "mmocr.json": json.dumps(
        {
            "metainfo": {"task_name": "textrecog"},
            "data_list": [{"img_path": name, "instances": [{"text": text}]} for name, text in PAIRS.items()],
        }
    ),
    "label-studio.json": json.dumps(
        [{"id": 1, "ocr": f"/data/upload/{name}", "transcription": text} for name, text in PAIRS.items()]
    ),
    "metadata.jsonl": "\n".join(json.dumps({"file_name": name, "text": text}) for name, text in PAIRS.items()),
    "trailing.csv": lines('{n},"{t}",,'),
    "gap.tsv": lines("{n}\t\t{t}"),
    "quoted.tsv": lines('"{n}"\t"{t}"'),
    "protected.csv": lines('{n},"=""{t}"""'),
    "macintosh.txt": lines("{n}\t{t}").replace("\n", "\r"),
    "counted.csv": "".join(f'{line},{name},"{text}"\n' for line, (name, text) in enumerate(PAIRS.items())),
    "german.csv": "Nr;Datei;Aufschrift;\n"
    + "".join(f'{line};{name};"{text}";\n' for line, (name, text) in enumerate(PAIRS.items(), 1)),
    "bars.csv": lines("{n}|{t}"),
    "labels.yaml": lines('{n}: "{t}"'),
    "colons.txt": lines("{n}: {t}"),
    "equals.txt": lines("{n} = {t}"),
    "arrows.txt": lines("{n} -> {t}"),
    "double arrows": lines("{n} => {t}"),
    "from-windows.tsv": lines("C:\\Users\\me\\scans\\{n}\t{t}"),
    "from-linux.tsv": lines("/home/me/scans/{n}\t{t}"),
    "from-above.tsv": lines("data/train/{n}\t{t}"),
}
