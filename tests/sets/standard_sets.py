"""The standard sets of scene text in small, in files of the structure in which they are distributed."""

import cv2
import numpy as np
import pytest

SMALL = {"train/1_1.png": ["YOU", "PRIVATE"], "train/2_1.png": ["354", "ROOM", "PARKING"]}
SVT = """<?xml version="1.0" encoding="utf-8"?>
<tagset>
  <image>
    <imageName>img/14_03.jpg</imageName>
    <address>341 Southwest 10th Avenue Portland OR</address>
    <lex>LIVING,ROOM,THEATERS</lex>
    <Resolution x="60" y="40" />
    <taggedRectangles>
      <taggedRectangle height="10" width="20" x="5" y="8">
        <tag>LIVING</tag>
      </taggedRectangle>
      <taggedRectangle height="12" width="30" x="28" y="20">
        <tag>ROOM</tag>
      </taggedRectangle>
    </taggedRectangles>
  </image>
  <image>
    <imageName>img/15_01.jpg</imageName>
    <lex>LULA,CAF&#201;</lex>
    <Resolution x="60" y="40" />
    <taggedRectangles>
      <taggedRectangle height="10" width="20" x="-2" y="33">
        <tag>LULA</tag>
      </taggedRectangle>
    </taggedRectangles>
  </image>
</tagset>
"""
ICDAR2003 = """<?xml version="1.0" encoding="ISO-8859-1"?>
<imagelist>
<image file="word/1/1.jpg" tag="self" />
<image file="word/1/2.jpg" tag="Q&amp;A" />
<image file="word/2/3.jpg" tag="\u00a35" />
</imagelist>
"""


PIXELS = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)


def write_image(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), PIXELS)
    return path


def cells(words):
    """Return a row of cells, as scipy writes them."""
    array = np.empty((1, len(words)), object)
    array[0] = words
    return array


def structs(*entries):
    """Return a row of structs, as scipy writes them."""
    array = np.empty((1, len(entries)), [(field, object) for field in entries[0]])
    for place, entry in enumerate(entries):
        array[0, place] = tuple(entry.values())
    return array


def write_mat(path, compressed=True, **arrays):
    """Write a file of MATLAB; skips the test where scipy, which writes it, is not installed."""
    io = pytest.importorskip("scipy.io")
    path.parent.mkdir(parents=True, exist_ok=True)
    io.savemat(path, arrays, do_compression=compressed)
    return path


def write_iiit5k(folder, part="train", small=None, medium=(), texts=("You", "354")):
    """Write IIIT5K's list of a part, the images included."""
    small = small or SMALL
    entries = []
    for (name, words), text in zip(small.items(), texts):
        name = name.replace("train", part)
        write_image(folder / name)
        lexicons = {"smallLexi": cells(words), "mediumLexi": cells([*words, *medium])}
        entries.append({"ImgName": name, "GroundTruth": text, **lexicons})
    return write_mat(folder / f"{part}data.mat", **{f"{part}data": structs(*entries)})


def write_svt(folder, part="test", xml=SVT):
    """Write SVT's list of a part, and its images, which here are JPEG by name alone: without loss."""
    for name in "14_03", "15_01":
        write_image(folder / "img" / f"{name}.png").rename(folder / "img" / f"{name}.jpg")
    (folder / f"{part}.xml").write_text(xml, encoding="utf-8")
    return folder / f"{part}.xml"


def write_icdar2003(folder):
    for name in "1/1", "1/2", "2/3":
        write_image(folder / "word" / f"{name}.jpg")
    (folder / "word.xml").write_text(ICDAR2003, encoding="latin-1")
    return folder / "word.xml"
