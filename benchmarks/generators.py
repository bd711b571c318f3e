"""Captchas drawn by packages of others: what people who bring their own images have.

They are installed into a folder of their own, from PyPI and npm, and drawn with a fixed seed.
"""

import argparse
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable, Dict

HERE = Path(__file__).parent
FONTS = [str(path) for path in sorted((HERE.parent / "font").glob("*.ttf"))]
FROM_PYPI = "claptcha==0.3.3", "multicolorcaptcha==1.2.0", "wheezy.captcha==3.2.2"
FROM_NPM = "svg-captcha@1.4.0", "trek-captcha@0.4.0", "@resvg/resvg-js@2.6.2"
UNLIKE = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"  # without look-alikes, as people who draw captchas choose them
NAMES = "claptcha", "multicolorcaptcha", "wheezy.captcha", "svg-captcha", "trek-captcha"


def make(name: str, folder: Path, count: int, packages: Path) -> None:
    """Write so many captchas of a package to a new folder, each called by its text and a number.

    Parameters
    ----------
    name : str
        One of `NAMES`.
    folder, packages : pathlib.Path
        Of the images, and where packages are installed unless they are there.
    count : int
    """
    folder.mkdir(parents=True)
    if not (packages / "done").exists():
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(packages / "python")]
        subprocess.run([*pip, *FROM_PYPI], check=True)
        subprocess.run(["npm", "install", "--silent", "--prefix", str(packages), *FROM_NPM], check=True)
        (packages / "done").touch()
    command = [sys.executable, __file__] if name in _DRAWN_BY else ["node", str(HERE / "generators.js")]
    paths = {"PYTHONPATH": str(packages / "python"), "NODE_PATH": str(packages / "node_modules")}
    subprocess.run([*command, name, str(folder), str(count)], check=True, env={**os.environ, **paths})


def _claptcha() -> Callable[[str], Any]:
    from claptcha import Claptcha
    from PIL.ImageFont import FreeTypeFont

    # Of Pillow 9, for which the package was written.
    FreeTypeFont.getsize = lambda self, text: self.getbbox(text)[2:]
    return lambda text: Claptcha(text, random.choice(FONTS), noise=0.4).image[1]


def _multicolorcaptcha() -> Callable[[str], Any]:
    from multicolorcaptcha import CaptchaGenerator

    generator = CaptchaGenerator(2)
    return lambda text: generator.gen_captcha_image(difficult_level=2, multicolor=True)


def _wheezy() -> Callable[[str], Any]:
    from wheezy.captcha.image import background, captcha, curve, noise, offset, rotate, smooth, text, warp

    letters = text(FONTS, (40, 46, 52), [warp(0.2), rotate(), offset()])
    return captcha([background(), letters, curve(), noise(), smooth()])


_DRAWN_BY: Dict[str, Callable[[], Callable[[str], Any]]] = {
    "claptcha": _claptcha,
    "multicolorcaptcha": _multicolorcaptcha,
    "wheezy.captcha": _wheezy,
}


def _main() -> None:
    parser = argparse.ArgumentParser(description="Draw captchas; the package must be on the path.")
    parser.add_argument("name", choices=_DRAWN_BY)
    parser.add_argument("folder", type=Path)
    parser.add_argument("count", type=int)
    args = parser.parse_args()
    random.seed(0)
    draw = _DRAWN_BY[args.name]()
    for number in range(args.count):
        text = "".join(random.choices(UNLIKE, k=5))
        image = draw(text)
        if args.name == "multicolorcaptcha":  # which chooses texts itself
            image, text = image.image, image.characters
        image.save(args.folder / f"{text}_{number}.png")


if __name__ == "__main__":
    _main()
