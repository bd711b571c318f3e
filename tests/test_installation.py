"""What to install is told such that it fits how the program was installed."""

import re
import shlex
import shutil
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import pytest

import ocr_lib
from ocr_lib.installation import DISTRIBUTION

ROOT = Path(__file__).parents[1]
PROGRAM = "from ocr_lib.installation import how_to_install; print(how_to_install('deploy'))"


def told(folder, cwd, program=PROGRAM):
    """Return what the package in a folder tells a program that runs elsewhere; the standard library is all there is."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(folder)!r}); {program}"],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def copied(folder, *others):
    """Put a copy of the package into a folder, and files of the project beside it."""
    shutil.copytree(ROOT / "ocr_lib", folder / "ocr_lib", ignore=shutil.ignore_patterns("__pycache__"))
    for name in others:
        shutil.copy(ROOT / name, folder / name)
    return folder


class TestClone:
    def test_installs_from_where_one_is(self):
        assert told(ROOT, ROOT) == "pip install --editable '.[deploy]'"

    @pytest.mark.parametrize("name", ["clone", "my clone", "it's", "ö $HOME"])
    def test_installs_from_its_own_folder(self, tmp_path, name):
        clone = copied(tmp_path / name, "setup.cfg")
        *command, last = shlex.split(told(clone, tmp_path))
        assert command == ["pip", "install", "--editable"] and last == f"{clone}[deploy]"
        assert told(clone, clone) == "pip install --editable '.[deploy]'"

    def test_where_the_folder_that_one_is_in_is_gone(self, tmp_path):
        clone = copied(tmp_path / "clone", "setup.cfg")
        (tmp_path / "gone").mkdir()
        program = f"import os; os.rmdir({str(tmp_path / 'gone')!r}); {PROGRAM}"
        assert told(clone, tmp_path / "gone", program) == f"pip install --editable '{clone}[deploy]'"


def test_a_copy_installs_the_same_version_from_the_index(tmp_path):
    site = copied(tmp_path / "site-packages")
    assert told(site, tmp_path) == told(site, site) == f"pip install '{DISTRIBUTION}[deploy]=={ocr_lib.__version__}'"


def test_names_are_those_of_the_project():
    project = ConfigParser()
    project.read(ROOT / "setup.cfg", encoding="utf-8")
    assert project["metadata"]["name"] == DISTRIBUTION == "lstm-ocr"
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "ocr_lib").rglob("*.py")]
    extras = {extra for source in sources for extra in re.findall(r"how_to_install\(['\"]([\w-]+)", source)}
    assert {"train", "deploy", "export"} <= extras <= set(project["options.extras_require"])
    assert not any("ocr-lib[" in source for source in sources), "the index has another project of that name"
