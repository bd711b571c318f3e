"""Compiled code does what its Python says, and works whatever becomes of its cache."""

import itertools
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ocr_lib.draw import lettering
from ocr_lib.draw.captcha import num_draws
from ocr_lib.draw.fast import FastRenderer
from ocr_lib.draw.fonts import find_fonts
from ocr_lib.recipe.captcha import CaptchaRecipe

ROOT = Path(__file__).parent.parent
CHARACTERS = "0j⁄Ǻ"
RECIPES = [
    CaptchaRecipe(),
    CaptchaRecipe(
        width=33,
        height=21,
        font_sizes=(9, 24),
        character_offset_dx=(0, 0),
        character_offset_dy=(0, 0),
        character_rotate=(-180.0, 180.0),
        character_warp_dx=(-1.0, 2.0),
        character_warp_dy=(-1.0, 2.0),
        word_space_probability=0.0,
        word_offset_dx=3.0,
        fg_color=(200, 20, 90, 70),
    ),
    CaptchaRecipe(width=50, height=12, font_sizes=(20,), character_rotate=(90.0, 90.0), bg_color=(0, 255, 0)),
    CaptchaRecipe(width=10, height=10, font_sizes=(1, 2), character_rotate=(0.0, 0.0)),
    CaptchaRecipe(width=11, height=70, font_sizes=(14,), character_rotate=(180.0, 180.0), word_offset_dx=0.0),
]


def draw_all(font_dir):
    fonts = find_fonts(Path(font_dir), "0", (42,))
    images = []
    for seed, recipe in enumerate(RECIPES):
        renderer = FastRenderer(recipe, fonts, CHARACTERS)
        texts = ["0j", CHARACTERS, "⁄"]
        images.append(renderer.render(texts, np.random.default_rng(seed).random((3, num_draws(4)))))
    return images


def draw_interpreted(font_dir, path):
    """Run by a test in a process of its own."""
    assert lettering.draw_texts.__class__.__name__ == "function"
    np.savez(path, *draw_all(font_dir))


def run_told(*arguments, **environment):
    """Run Python; return what it says on stdout and stderr."""
    environment = {**os.environ, **{name: str(value) for name, value in environment.items()}}
    command = [sys.executable, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, env=environment, timeout=120, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def run(*arguments, **environment):
    said, warnings = run_told(*arguments, **environment)
    assert warnings == ""
    return said


def test_compiled_code_draws_what_its_python_draws(font_dir, tmp_path):
    program = "import sys, test_compiled; test_compiled.draw_interpreted(*sys.argv[1:])"
    folders = os.pathsep.join(map(str, [Path(__file__).parent, ROOT]))
    run("-c", program, font_dir, tmp_path / "images.npz", PYTHONPATH=folders, NUMBA_DISABLE_JIT=1)
    with np.load(tmp_path / "images.npz") as interpreted:
        for recipe, images, same in zip(RECIPES, draw_all(font_dir), interpreted.values()):
            np.testing.assert_array_equal(images, same, err_msg=str(recipe))


PROGRAM = """
from numba import types
from ocr_lib.compiled import compiled

@compiled(types.int64(types.int64))
def twice(number):
    return 2 * number

if __name__ == "__main__":
    print(twice(21), "from the cache" if twice.stats.cache_hits else "compiled anew")
"""
ANOTHER = """
@compiled(types.int64(types.int64))
def thrice(number):
    return 3 * number
"""
ALL = """
import runpy, sys
for program in sys.argv[1:]:
    runpy.run_path(program, run_name="__main__")
"""
WORKERS = """
from ocr_lib.feed.workers import OrderedPool
from work import make_twice
with OrderedPool(make_twice, 3, ["twice"]) as pool:
    print(*pool.map(range(9)))
"""


@pytest.fixture(scope="module")
def cached(tmp_path_factory):
    """Return the folder of a program that was compiled once, with its cache."""
    folder = tmp_path_factory.mktemp("cached")
    (folder / "twice.py").write_text(PROGRAM)
    assert run("-m", "twice", PYTHONPATH=os.pathsep.join([str(folder), str(ROOT)])) == "42 compiled anew\n"
    return folder


def run_twice(folder, **environment):
    return run("-m", "twice", PYTHONPATH=os.pathsep.join([str(folder), str(ROOT)]), **environment)


def test_code_is_compiled_once(cached):
    assert run_twice(cached) == "42 from the cache\n"


@pytest.fixture
def read_only(tmp_path):
    """Return a program's folder that takes no cache, and an environment without a home for one."""
    folder = tmp_path / "read-only"
    folder.mkdir()
    (folder / "twice.py").write_text(PROGRAM)
    (folder / "__pycache__").touch()  # a file where there should be a folder, which stops root too
    (tmp_path / "temporary").mkdir()
    nowhere = folder / "twice.py" / "cache"
    names = ("HOME", "XDG_CACHE_HOME", "NUMBA_CACHE_DIR")
    return folder, {**dict.fromkeys(names, nowhere), "TMPDIR": tmp_path / "temporary"}


def test_code_is_kept_in_the_users_cache(read_only, tmp_path):
    folder, environment = read_only
    environment["XDG_CACHE_HOME"] = tmp_path / "cache"
    assert run_twice(folder, **environment) == "42 compiled anew\n"
    assert run_twice(folder, **environment) == "42 from the cache\n"
    assert list((tmp_path / "cache").rglob("*.nbc"))
    assert not list((tmp_path / "temporary").iterdir())


def test_code_is_kept_in_the_temporary_folder_where_no_other_user_can_write(read_only, tmp_path):
    folder, environment = read_only
    assert run_twice(folder, **environment) == "42 compiled anew\n"
    assert run_twice(folder, **environment) == "42 from the cache\n"
    (kept,) = (tmp_path / "temporary").iterdir()
    assert (kept.stat().st_mode & 0o777, kept.stat().st_uid) == (0o700, os.getuid())
    assert list(kept.rglob("*.nbc"))


def make_unsafe(path, how):
    """Put something where the private folder would be, with code of another user in it, it may be."""
    if how == "a file":
        path.touch()
    elif how == "a link":
        path.with_name("elsewhere").mkdir(mode=0o700)
        path.symlink_to("elsewhere")
    else:
        path.mkdir()
        path.chmod(0o777 if how == "open to all" else 0o700)
    if how == "another's":
        if os.getuid():
            pytest.skip("only root can give a folder away")
        os.chown(path, 12345, 12345)


@pytest.mark.parametrize("how", ["a file", "a link", "open to all", "another's"])
def test_code_is_never_kept_where_another_user_could_write(read_only, tmp_path, how):
    folder, environment = read_only
    make_unsafe(tmp_path / "temporary" / f"ocr-lib-{os.getuid()}", how)
    (folder / "twice.py").write_text(PROGRAM + ANOTHER)
    said, warning = run_told("-m", "twice", **environment, PYTHONPATH=os.pathsep.join([str(folder), str(ROOT)]))
    assert said == "42 compiled anew\n"
    assert len(warning.splitlines()) == 1  # for both functions
    assert "NUMBA_CACHE_DIR" in warning
    assert not list((tmp_path / "temporary").rglob("*.nb?"))


def test_workers_that_cannot_keep_code_say_so_once(read_only, tmp_path):
    folder, environment = read_only
    make_unsafe(tmp_path / "temporary" / f"ocr-lib-{os.getuid()}", "a file")
    (folder / "work.py").write_text("def make_twice():\n    from twice import twice\n    return twice\n")
    environment["PYTHONPATH"] = os.pathsep.join([str(folder), str(ROOT)])
    said, warning = run_told("-c", WORKERS, **environment)
    assert said == "0 2 4 6 8 10 12 14 16\n"
    assert len(warning.splitlines()) == 1
    assert "NUMBA_CACHE_DIR" in warning


def test_a_damaged_cache_is_written_anew(cached, tmp_path):
    programs = []
    for suffix, damage in itertools.product([".nbi", ".nbc"], ["empty", "cut off", "garbage"]):
        folder = shutil.copytree(cached, tmp_path / f"{damage}{suffix}")
        (path,) = folder.glob(f"__pycache__/*{suffix}")
        data = path.read_bytes()
        path.write_bytes({"empty": b"", "cut off": data[: len(data) // 2], "garbage": b"\xff" * len(data)}[damage])
        programs.append(folder / "twice.py")
    first, second = (run("-c", ALL, *programs, PYTHONPATH=ROOT).splitlines() for _ in range(2))
    assert [line[:3] for line in first] == ["42 "] * len(programs)
    assert "42 compiled anew" in first
    assert second == ["42 from the cache"] * len(programs)
