"""Nothing is printed about images but what we say of them, whoever loaded OpenCV first and whatever it is told."""

import os
import subprocess
import sys
import zlib

import pytest

from tests.images.encoded_images import NOISE, SMOOTH, encoded, png

READ_ALL = """
import sys
from pathlib import Path
from ocr_lib.errors import OCRError
from ocr_lib.images.decode import read_image
def read(name):
    try:
        read_image(Path(name))
    except OCRError:
        pass
"""
IN_TURN = f"{READ_ALL}for name in sys.argv[1:]: read(name)"
IN_THREADS = f"""{READ_ALL}
from concurrent.futures import ThreadPoolExecutor
with ThreadPoolExecutor(8) as pool:
    list(pool.map(read, 40 * sys.argv[1:]))
"""
# C's own way to print there.
SPEAK = "import ctypes; ctypes.CDLL(None).perror(b'heard')"


def without_bytes(data, start, count):
    return data[:start] + data[start + count :]


def files(folder):
    """Write damaged files about which OpenCV, libjpeg and libpng have something to say."""
    jpeg, tiff = encoded(NOISE[..., :3], "JPEG"), encoded(SMOOTH, "TIFF", compression="tiff_lzw")
    bad = [
        jpeg.replace(b"\xff\xdb", b"junk\xff\xdb", 1),
        without_bytes(jpeg, len(jpeg) // 2, 99),
        png(8, 8, 8, zlib.compress(bytes([9] * 72))),  # there is no filter 9
        png(8, 8, 8, zlib.compress(bytes(72))[:-4] + b"sum?"),
        png(8, 8, 8, b"no deflate"),
        tiff.replace(tiff[40:60], b"\xff" * 20),
        encoded(SMOOTH, "WEBP")[:-20],
        b"P5 40 24 255\n",
    ]
    for number, data in enumerate(bad):
        (folder / str(number)).write_bytes(data)
    return [str(folder / str(number)) for number in range(len(bad))]


def said(program, *arguments, **variables):
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        stderr=subprocess.PIPE,
        env={**os.environ, **variables},
        timeout=60,
        check=True,
    )
    return done.stderr.decode()


def test_without_us_they_speak(tmp_path):
    program = "import cv2, sys\nfor name in sys.argv[1:]: cv2.imread(name)"
    of_jpeg, of_png, *_ = (said(program, name) for name in files(tmp_path)[:3:2])
    assert "Corrupt JPEG data" in of_jpeg and "libpng error" in of_png


@pytest.mark.parametrize("program", [IN_TURN, IN_THREADS])
def test_nothing_is_printed(tmp_path, program):
    assert said(program, *files(tmp_path)) == ""


@pytest.mark.parametrize("level", ["DEBUG", "ERROR"])
def test_nothing_is_printed_where_opencv_was_loaded_before(tmp_path, level):
    assert said(f"import cv2\n{IN_TURN}", *files(tmp_path), OPENCV_LOG_LEVEL=level) == ""


@pytest.mark.parametrize("program", [IN_TURN, IN_THREADS])
def test_c_libraries_are_heard_again_afterwards(tmp_path, program):
    assert said(f"{program}\n{SPEAK}", *files(tmp_path)).startswith("heard: ")


def test_python_is_heard_meanwhile():
    program = f"""
import sys
from ocr_lib.images.c_stderr import silent_c_stderr
with silent_c_stderr:
    with silent_c_stderr:
        {SPEAK}
    {SPEAK}
    print("Python", file=sys.stderr)
"""
    assert said(program) == "Python\n"


def test_a_fork_amidst_of_silence_is_heard():
    program = f"""
import os, threading
from ocr_lib.images.c_stderr import silent_c_stderr
inside, done = threading.Event(), threading.Event()
def decode():
    with silent_c_stderr:
        inside.set()
        done.wait()
thread = threading.Thread(target=decode)
thread.start()
inside.wait()
child = os.fork()
if not child:
    {SPEAK}
    with silent_c_stderr:
        {SPEAK}
    os._exit(0)
os.waitpid(child, 0)
{SPEAK}
done.set()
thread.join()
"""
    assert said(f"import warnings; warnings.simplefilter('ignore')\n{program}").count("heard: ") == 1
