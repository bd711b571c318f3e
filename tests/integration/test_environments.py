"""Commands on machines that are short of something: room, shared memory, a place to keep code, an encoding."""

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ocr_lib.net.manifest import read_manifest
from tests.cli.infer_command import write
from tests.small_network import mark_params, mark_recipe, save
from tests.toy import FONT, toy_arguments
from tests.unmeasured import UNMEASURED

ROOT = Path(__file__).parents[2]
EPOCHS = 2
SHORT = [("training.epochs", EPOCHS), ("training.epoch_size", 40), ("training.validation_size", 16)]
TEXT = "йод🚗"
WORKERS = """
import tempfile
from multiprocessing import util
before = tempfile.gettempdir()
from ocr_lib.feed.workers import OrderedPool
from tests.feed.work import make_square
with OrderedPool(make_square, 2) as pool:
    print(*pool.map(range(5)))
assert tempfile.gettempdir() == before
print(util.get_temp_dir())
"""


def run(command, mounts="", cwd=ROOT, text=True, **environment):
    """Run a command in an environment of its own; with mounts, which no other process sees, if the system lets us."""
    if mounts:
        if shutil.which("unshare") is None or subprocess.run(["unshare", "-m", "true"], check=False).returncode:
            pytest.skip("only root can mount what other processes don't see")
        command = ["unshare", "-m", "sh", "-ec", f'{mounts}\nexec "$@"', "sh", *command]
    environment = {**UNMEASURED, "PYTHONPATH": str(ROOT), **{name: str(value) for name, value in environment.items()}}
    return subprocess.run(
        [*map(str, command)], cwd=cwd, env=environment, capture_output=True, text=text, timeout=250, check=False
    )


def script(name, *arguments):
    return [sys.executable, ROOT / name, *arguments]


def training(prefix, *arguments, settings=SHORT):
    options = ["--prefix", prefix, "--cpu", 1, "--num_proc", 1, *toy_arguments(*settings)]
    return script("lstm_ocr_train.py", FONT, *options, *arguments)


def assert_trained(result, prefix, warnings=0):
    assert result.returncode == 0, result.stderr
    assert [saved.epoch for saved in read_manifest(str(prefix)).saved] == list(range(1, EPOCHS + 1))
    assert not [word for word in ("Traceback", "Logging error", "Exception ignored") if word in result.stderr]
    assert result.stderr.count("The logs of this run are incomplete") == warnings


@pytest.fixture
def long_folder(tmp_path):
    """A folder whose path has 120 bytes, where that of a socket may have 107."""
    folder = tmp_path / ("x" * (119 - len(str(tmp_path))))
    folder.mkdir()
    assert len(str(folder)) == 120
    return folder


@pytest.mark.slow
def test_training_with_a_long_path_of_temporary_files(tmp_path, long_folder):
    assert_trained(run(training(tmp_path / "ocr"), TMPDIR=long_folder), tmp_path / "ocr")
    assert not list(long_folder.iterdir())


def test_sockets_of_workers_are_removed_from_wherever_they_are(long_folder):
    *said, folder = run([sys.executable, "-c", WORKERS], TMPDIR=long_folder).stdout.splitlines()
    assert said == ["0 1 4 9 16"]
    assert len(folder) < 60
    assert not Path(folder).exists()


@pytest.mark.parametrize("folder", ["/nowhere", "/proc", "/dev/null"])
def test_workers_without_the_folder_that_tmpdir_names(folder):
    result = run([sys.executable, "-c", WORKERS], TMPDIR=folder)
    assert (result.stdout.splitlines()[0], result.stderr) == ("0 1 4 9 16", "")


def test_workers_without_any_folder_for_temporary_files():
    program = "\n".join(line for line in WORKERS.splitlines() if "temp" not in line)
    mounts = "\n".join(
        f"mount --bind {path} {path} && mount -o remount,bind,ro {path}" for path in ("/tmp", "/var/tmp")
    )
    result = run([sys.executable, "-c", program], mounts, cwd="/proc", TMPDIR="/proc")
    assert (result.stdout, result.stderr) == ("0 1 4 9 16\n", "")


def test_training_without_shared_memory(tmp_path):
    result = run(training(tmp_path / "ocr"), "mount -t tmpfs -o ro none /dev/shm")
    assert_trained(result, tmp_path / "ocr")


def test_training_goes_on_when_the_disk_for_logs_is_full(tmp_path):
    (tmp_path / "log").mkdir()
    mounts = f"mount -t tmpfs -o size=4k none {tmp_path}/log"
    settings = ("training.epochs", EPOCHS), ("training.epoch_size", 8 * 60)
    result = run(training(tmp_path / "ocr", "--log-dir", tmp_path / "log", settings=settings), mounts)
    assert_trained(result, tmp_path / "ocr", warnings=1)
    (line,) = (line for line in result.stderr.splitlines() if "incomplete" in line)
    assert f"{tmp_path}/log/" in line
    assert line.endswith("No space left on device")


def test_a_full_disk_for_checkpoints_is_told_in_one_line(tmp_path):
    (tmp_path / "full").mkdir()
    mounts = f"mount -t tmpfs -o size=100k none {tmp_path}/full"
    result = run(training(tmp_path / "full" / "ocr", "--log-dir", tmp_path / "log"), mounts)
    assert result.returncode == 1
    assert [line for line in result.stderr.splitlines() if "error: " in line] == result.stderr.splitlines()[-1:]
    assert "\nTraceback" not in result.stderr


@pytest.mark.slow
def test_a_read_only_installation_compiles_once(tmp_path):
    installed = tmp_path / "installed"
    installed.mkdir()
    shutil.copytree(ROOT / "ocr_lib", installed / "ocr_lib", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "captcha_generator.py", installed)
    (tmp_path / "temporary").mkdir()
    command = [sys.executable, installed / "captcha_generator.py", FONT, "--count", 3, "--num_proc", 2]
    mounts = f"mount --bind {installed} {installed} && mount -o remount,bind,ro {installed}"
    environment = {**dict.fromkeys(("HOME", "XDG_CACHE_HOME"), "/dev/null/none"), "PYTHONPATH": installed}
    environment["TMPDIR"] = tmp_path / "temporary"
    seconds, told = [], []
    for number in range(2):
        began = time.perf_counter()
        result = run([*command, "--out", tmp_path / str(number)], mounts, tmp_path, **environment)
        assert result.returncode == 0, result.stderr
        seconds.append(time.perf_counter() - began)
        told += [line for line in result.stderr.splitlines() if "NUMBA_CACHE_DIR" in line]
    assert seconds[1] < 0.5 * seconds[0], seconds
    assert told == []
    (kept,) = (tmp_path / "temporary").glob("ocr-lib-*")
    shutil.rmtree(kept)
    kept.touch()
    result = run([*command, "--out", tmp_path / "unkept"], mounts, tmp_path, **environment)
    assert result.returncode == 0, result.stderr
    assert result.stderr.count("NUMBA_CACHE_DIR") == 1


SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in ("ISO-8859-1", "POSIX")]


@pytest.fixture(params=["C", *SLOW])
def narrow_locale(request, tmp_path):
    """The environment of a locale without UTF-8, of which Python makes none."""
    environment = {"LC_ALL": request.param, "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    if request.param == "ISO-8859-1":
        compiled = tmp_path / "locales" / "narrow"
        compiled.parent.mkdir()
        command = ["localedef", "--no-archive", "-i", "en_US", "-f", request.param, str(compiled)]
        if shutil.which("localedef") is None or subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("this system lacks the sources of locales")
        environment.update(LC_ALL="narrow", LOCPATH=str(compiled.parent))
    probe = run([sys.executable, "-c", "import sys; print(sys.getfilesystemencoding())"], **environment)
    assert "utf" not in probe.stdout
    return environment


@pytest.fixture(scope="module")
def prefix(tmp_path_factory):
    """A network that reads marks as characters which narrow encodings lack."""
    alphabet = TEXT + "абвгеж"
    return save(tmp_path_factory.mktemp("cyrillic") / "ocr", mark_recipe(alphabet), mark_params())


@pytest.fixture
def images(prefix, tmp_path):
    """A data set with such characters in texts and names."""
    folder = tmp_path / "images"
    for name in ("1.png", "два.png"):
        write(folder / name, "йод", TEXT + "абвгеж")
    (folder / "labels.tsv").write_text("1.png\tйод\nдва.png\tйо\n", encoding="utf-8")
    return folder


def test_training_in_a_narrow_locale(tmp_path, narrow_locale):
    (tmp_path / "alphabet.txt").write_text("йод", encoding="utf-8")
    arguments = [argument for argument in training(tmp_path / "ocr") if "text.alphabet" not in str(argument)]
    result = run([*arguments, "--alphabet", tmp_path / "alphabet.txt"], **narrow_locale)
    assert_trained(result, tmp_path / "ocr")
    assert any(letter in (tmp_path / "ocr-log" / "train.log").read_text(encoding="utf-8") for letter in "йод")
    assert json.loads((tmp_path / "ocr-recipe.json").read_text(encoding="utf-8"))["text"]["alphabet"] == "йод"
    assert {"curves.csv", "curves.png"} <= {path.name for path in (tmp_path / "ocr-log").iterdir()}


def test_captchas_in_a_narrow_locale(tmp_path, narrow_locale):
    program = (
        "import sys; from ocr_lib.cli.generate import main; "
        "sys.exit(main([*sys.argv[1:], '--alphabet', '\\u0439\\u043e\\u0434']))"
    )
    command = [sys.executable, "-c", program, FONT, "--count", 4, "--num_proc", 1, "--out", tmp_path / "out"]
    result = run(command, **narrow_locale)
    assert (result.returncode, "Traceback" in result.stderr) == (0, False), result.stderr
    rows = (tmp_path / "out" / "labels.tsv").read_text(encoding="utf-8").splitlines()
    assert len(rows) == 4
    assert all(set(row.split("\t")[1]) <= set("йод") for row in rows)


@pytest.mark.parametrize("narrow_locale", ["C", "ISO-8859-1", SLOW[1]], indirect=True)
def test_reading_in_a_narrow_locale(prefix, images, tmp_path, narrow_locale):
    command = script("lstm_ocr_infer.py", "--prefix", prefix)
    result = run([*command, images / "1.png"], **narrow_locale)
    assert (result.stdout, result.stderr) == ("Text: \\u0439\\u043e\\u0434\n", "")
    write(tmp_path / "car.png", TEXT, TEXT + "абвгеж")
    result = run([*command, tmp_path / "car.png", "--json", "--plot", tmp_path / "plot.png"], **narrow_locale)
    assert [reading["text"] for reading in json.loads(result.stdout)] == [TEXT]


def test_measuring_in_a_narrow_locale(prefix, images, tmp_path, narrow_locale):
    page = tmp_path / "report.html"
    command = script("lstm_ocr_eval.py", "--prefix", prefix, "--data", images)
    result = run([*command, "--html", page], **narrow_locale)
    assert (result.returncode, result.stderr) == (0, "")
    assert "2 images read, 0 skipped" in result.stdout
    assert "два.png" in page.read_text(encoding="utf-8")
    assert "йо" in page.read_text(encoding="utf-8")


def test_names_of_files_are_utf8_in_a_narrow_locale(prefix, images, tmp_path, narrow_locale):
    command = script("lstm_ocr_convert.py", images, tmp_path / "names", "--to", "names")
    assert run(command, **narrow_locale).returncode == 0
    assert sorted(path.name for path in (tmp_path / "names").iterdir()) == ["йо.png", "йод.png"]
    command = script("lstm_ocr_eval.py", "--prefix", prefix, "--data", tmp_path / "names", "--json")
    result = run(command, **narrow_locale)
    assert json.loads(result.stdout)["exact_match"] == 0.5


def test_arguments_that_the_locale_lacks_are_refused_with_what_to_set(tmp_path):
    narrow = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    result = run(training(tmp_path / "ocr", "--set", "text.alphabet=йод"), **narrow)
    assert result.returncode == 1
    assert len(result.stderr.splitlines()) == 1
    assert result.stderr.endswith("PYTHONUTF8=1\n")
