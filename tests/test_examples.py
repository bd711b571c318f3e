"""The examples, each run as it stands, in a folder that has fonts and an image."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import ocr_lib.mx  # noqa: F401  (this module is skipped where there is no MXNet)
from ocr_lib.cli import generate
from tests.conftest import FONT_DIR
from tests.unmeasured import UNMEASURED

EXAMPLES = FONT_DIR.parent / "examples"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "font").symlink_to(FONT_DIR)
    assert generate.main([str(FONT_DIR), str(tmp_path / "sample.png"), "--num=4711", "--seed=3"]) == 0
    return tmp_path


def run(folder, *arguments, program=None):
    environment = {**UNMEASURED, "PYTHONPATH": str(EXAMPLES.parent), "MPLBACKEND": "agg", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "ignore", *map(str, arguments)]
    done = subprocess.run(
        command,
        input=program,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def code_of(notebook):
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")


def shortened(name, **changes):
    """Return the program of an example in which some words are replaced, so that it takes seconds."""
    path = EXAMPLES / name
    program = code_of(path) if path.suffix == ".ipynb" else path.read_text(encoding="utf-8")
    for old, new in changes.items():
        assert old in program
        program = program.replace(old, new)
    return program


SMALL = '"training.epoch_size": 64, "training.validation_size": 32'


def test_module_fit(folder):
    program = shortened("module_fit.py", **{'"captcha"': '"captcha", {' + SMALL + "}"})
    run(folder, "-", program=program + "\nprint(ocr_lib.load('reader', 2).predict('sample.png'))")
    assert {path.name for path in folder.glob("reader-*")} == {
        "reader-recipe.json",
        "reader-symbol.json",
        *(f"reader-{epoch:04d}.params" for epoch in (1, 2, 3)),
    }


@pytest.mark.slow
def test_module_fit_learns(folder):
    run(folder, EXAMPLES / "module_fit.py")
    program = "import ocr_lib; print(ocr_lib.load('reader', 3).predict('sample.png').text)"
    assert run(folder, "-", program=program) == "4711\n"


def test_module_fit_is_short():
    body = ast.parse((EXAMPLES / "module_fit.py").read_text()).body[1:]
    assert sum(isinstance(node, (ast.Import, ast.ImportFrom)) for node in body) == 2
    lines = (EXAMPLES / "module_fit.py").read_text().splitlines()[body[0].lineno - 1 :]
    assert sum(bool(line.strip()) for line in lines) <= 15


def test_train_and_deploy(folder):
    changes = {
        '"training.epochs": 3': f'"training.epochs": 1, {SMALL}',
        "int8=True": "int8=True, max_drop=1, num_test=64",
    }
    said = run(folder, "-", program=shortened("train_and_deploy.py", **changes))
    assert 0 <= float(said.split()[-1]) <= 1
    assert (folder / "reader.onnx").exists()


@pytest.mark.slow
def test_train_and_deploy_learns(folder):
    text, confidence = run(folder, EXAMPLES / "train_and_deploy.py").splitlines()[-1].split()
    assert text == "4711" and 0.5 < float(confidence) <= 1


def test_train_and_deploy_is_short():
    assert len(ast.parse((EXAMPLES / "train_and_deploy.py").read_text()).body[1:]) <= 6


@pytest.mark.slow
def test_own_images(folder):
    for name, count, seed in ("images", 300, 1), ("more", 50, 2):
        options = [f"--count={count}", f"--out={folder / name}", f"--seed={seed}", "--digits=2", "--alphabet=47"]
        assert generate.main([str(FONT_DIR / "Ubuntu-M.ttf"), *options]) == 0
    said = run(folder, EXAMPLES / "own_images.py", "images", "more")
    assert "50 images read, 0 skipped" in said
    assert (folder / "mine-manifest.json").exists()


def test_walkthrough(folder):
    cells = json.loads((EXAMPLES / "walkthrough.ipynb").read_text(encoding="utf-8"))["cells"]
    assert all(not cell.get("outputs") for cell in cells)
    program = shortened("walkthrough.ipynb", **{'"training.epoch_size": 6400': SMALL, "num_epoch=4": "num_epoch=1"})
    assert "images read the same" in run(folder, "-", program=program)
    assert (folder / "notebook.onnx").exists()


@pytest.mark.slow
def test_walkthrough_learns(folder):
    program = code_of(EXAMPLES / "walkthrough.ipynb") + "\nprint(reader.predict('sample.png').text)"
    assert run(folder, "-", program=program).splitlines()[-1] == "4711"


def test_they_are_all_run():
    names = {path.name for path in Path(EXAMPLES).iterdir() if path.suffix in (".py", ".ipynb")}
    assert names == {"module_fit.py", "train_and_deploy.py", "own_images.py", "walkthrough.ipynb"}
