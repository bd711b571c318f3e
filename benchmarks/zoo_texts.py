"""What `zoo.py` does for readers of rendered texts: their fonts and texts, and how well they read others."""

import gzip
import re
import subprocess
import tempfile
from pathlib import Path
from shutil import copy
from typing import Any, Dict, List

import ocr_lib
from ocr_lib.draw.fonts import SUFFIXES
from ocr_lib.draw.text.coverage import find_coverage
from ocr_lib.errors import OCRError
from ocr_lib.feed.text_plan import plan_texts
from ocr_lib.feed.text_source import RenderedTexts
from ocr_lib.recognize.metrics import evaluate

ASCII = "".join(map(chr, range(ord("!"), ord("~") + 1)))
COUNT = 2000
BESIDE = (".dat", ".u8")  # what lies beside the texts of `fortunes`


def unpack(package: str, folder: Path) -> None:
    """Download a Debian package, and unpack it without installing it."""
    folder.mkdir(parents=True)
    subprocess.run(["apt-get", "download", "-qq", "-o=APT::Sandbox::User=root", package], cwd=folder, check=True)
    (archive,) = folder.glob("*.deb")
    subprocess.run(["dpkg-deb", "-x", str(archive), str(folder)], check=True)


def take_all_fonts(packages: List[str], largest: int, to: Path, characters: str = ASCII) -> None:
    """Copy the fonts of packages that have all of some characters, in files of at most so many bytes."""
    to.mkdir(parents=True)
    for package in packages:
        with tempfile.TemporaryDirectory() as folder:
            unpack(package, Path(folder, package))
            for file in sorted(p for p in Path(folder).rglob("*") if p.suffix.lower() in SUFFIXES):
                if file.is_file() and file.stat().st_size <= largest and _has(file, characters):
                    copy(file, to / f"{package}-{file.name}")


def _has(file: Path, characters: str) -> bool:
    try:
        return not find_coverage(file, characters, tells_case=True).lacking(0)
    except OCRError:
        return False


def take_texts(packages: Dict[str, List[str]], to: Path) -> None:
    """Write the lines of some files of packages that are printable ASCII, but for genitives."""
    lines: List[str] = []
    for package, patterns in packages.items():
        with tempfile.TemporaryDirectory() as folder:
            unpack(package, Path(folder, package))
            for pattern in patterns:
                for file in sorted(path for path in Path(folder, package).glob(pattern) if path.suffix not in BESIDE):
                    opened = gzip.open if file.suffix == ".gz" else open
                    with opened(file, "rt", encoding="utf-8", errors="replace") as stream:
                        lines += stream.read().splitlines()
    kept = (line.strip() for line in lines)
    to.write_text(
        "".join(f"{line}\n" for line in kept if re.fullmatch(r"(?=.*\w)[ -~]+", line) and not line.endswith("'s"))
    )


def measure_texts(reader: "ocr_lib.Predictor", recipe: "ocr_lib.Recipe", fonts: Path) -> Dict[str, Any]:
    """Return how well texts that are rendered in some fonts, and were not seen, are read."""
    plan = plan_texts(recipe, fonts)
    rendered = RenderedTexts(plan.recipe, plan.coverage, plan.pictures)
    texts = rendered.texts("test", range(COUNT))
    readings = reader.read([rendered.draw("test", index, text) for index, text in enumerate(texts)])
    figures = evaluate(texts, [reading.text for reading in readings])
    return {
        "images": COUNT,
        "exact_match": round(figures["accuracy"], 4),
        "exact_match_alphanumeric": round(figures["accuracy_alnum_ci"], 4),
        "cer": round(figures["cer"], 4),
    }
