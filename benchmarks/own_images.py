"""What becomes of images of one's own with no option: exact match on images held out, by who drew them.

    python benchmarks/own_images.py [NAME ...] [--folder DIR] [-- OPTIONS OF lstm_ocr_train.py]

Sets are those of generators.py, 936 captchas to train on and 104 others to read. Folders in --data are `wp-captcha`,
captchas; `iiit5k-train`, words in photographs, of which letters and digits are compared, as is usual; and `uw3-500`,
scanned lines, whose own lists say which are to be read. Of others every tenth is held out. Sets, packages and
checkpoints are kept in --folder.
"""

import argparse
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Dict, Iterable, List, Tuple

import generators

ROOT = Path(__file__).resolve().parents[1]
TRAINED, HELD = 936, 104
# So few names of captchas may not tell where the label is, if all of it is digits.
CAPTCHAS_EVALUATED = ["--label-pattern", "^(?P<text>[^_]+)"]
EVALUATED: Dict[str, List[str]] = {"uw3-500": [], "iiit5k-train": ["--compare", "alphanumeric"]}


def parted(name: str, folder: Path, data: Path) -> Tuple[Path, Path]:
    """Return what to train on of a set, and what to read."""
    if name == "uw3-500":
        return data / name / "sortedTrain.txt", data / name / "valid.txt"
    if name == "iiit5k-train":
        return parted_list(data / name / "labels.tsv", folder / name)
    train, test = folder / name / "train", folder / name / "test"
    if not test.is_dir():
        source = folder / name / "all"
        if name == "wp-captcha":
            source = data / name
        elif not source.is_dir():
            part = source.with_suffix(".part")
            shutil.rmtree(part, ignore_errors=True)
            generators.make(name, part, TRAINED + HELD, folder / "packages")
            part.rename(source)
        images = sorted(path for path in source.iterdir() if path.suffix in (".png", ".gif"))
        link(test, images[::10])
        link(train, (path for number, path in enumerate(images) if number % 10))
    return train, test


def link(folder: Path, images: Iterable[Path]) -> None:
    """Make a folder of links to images."""
    folder.mkdir(parents=True)
    for path in images:
        (folder / path.name).symlink_to(path.resolve())


def parted_list(labels: Path, folder: Path) -> Tuple[Path, Path]:
    """Make two lists of one."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [f"{labels.resolve().parent}/{line}" for line in labels.read_text("utf-8").splitlines(keepends=True)]
    train, test = folder / "train.tsv", folder / "test.tsv"
    test.write_text("".join(lines[::10]), "utf-8")
    train.write_text("".join(line for number, line in enumerate(lines) if number % 10), "utf-8")
    return train, test


def measured(name: str, folder: Path, data: Path, options: List[str]) -> Dict[str, float]:
    """Train on a set with no option but those given, and read what was held out."""
    train, test = parted(name, folder, data)
    prefix = folder / name / "reader"
    prefix.parent.mkdir(parents=True, exist_ok=True)
    began = time.perf_counter()
    run("lstm_ocr_train.py", "--train-data", train, "--prefix", prefix, "--overwrite", "--quiet", *options)
    seconds = time.perf_counter() - began
    compared = EVALUATED.get(name, CAPTCHAS_EVALUATED)
    figures = json.loads(run("lstm_ocr_eval.py", "--prefix", prefix, "--data", test, *compared, "--json", "--quiet"))
    return {"minutes": seconds / 60, "accuracy": figures["exact_match"], "cer": figures["cer"]}


def run(script: str, *arguments: object) -> str:
    """Run a command of ours, and return what it prints."""
    command = [sys.executable, str(ROOT / script), *map(str, arguments)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="sets (default: those of all generators)")
    parser.add_argument("--folder", type=Path, default=Path("own-images"), help="where all is kept")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data", help="with wp-captcha and others")
    ours, options = sys.argv[1:], []
    if "--" in ours:
        place = ours.index("--")
        ours, options = ours[:place], ours[place + 1 :]
    args = parser.parse_args(ours)
    print("| images | exact match | CER | minutes |\n|---|---|---|---|")
    for name in args.names or generators.NAMES:
        found = measured(name, args.folder, args.data, options)
        print(f"| {name} | {found['accuracy']:.1%} | {found['cer']:.2%} | {found['minutes']:.1f} |", flush=True)


if __name__ == "__main__":
    main()
