"""Networks in 8 bits by MXNet: which instructions of the CPU they are given."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.quant.networks import TEXTS, with_onednn
from tests.small_network import draw_marks, mark_params, mark_recipe, save
from tests.unmeasured import UNMEASURED

ROOT = Path(__file__).resolve().parents[2]

pytestmark = with_onednn
with_vnni = pytest.mark.skipif("avx512_vnni" not in Path("/proc/cpuinfo").read_text(), reason="this CPU has no VNNI")

COMPARE = """
import sys
import numpy as np
from ocr_lib.net.checkpoint import load_checkpoint, split_params
from ocr_lib.net.reader import Reader
from ocr_lib.quant.int8 import quantize
checkpoint = load_checkpoint(sys.argv[1])
images = np.load(sys.argv[2])
symbol, params = quantize(checkpoint, images)
arg_params, aux_params = split_params(params)
found = Reader(checkpoint._replace(symbol=symbol, arg_params=arg_params, aux_params=aux_params)).probabilities(images)
print(np.abs(found - Reader(checkpoint).probabilities(images)).max() < 0.1)
"""


class TestInstructions:
    """Quantized LSTMs fail where oneDNN may use VNNI."""

    def run(self, program, *arguments, isa=None):
        environment = {name: value for name, value in UNMEASURED.items() if name != "DNNL_MAX_CPU_ISA"}
        if isa is not None:
            environment["DNNL_MAX_CPU_ISA"] = isa
        command = [sys.executable, "-c", program, *map(str, arguments)]
        return subprocess.run(
            command, capture_output=True, text=True, env=environment, cwd=ROOT, timeout=120, check=False
        )

    @pytest.mark.parametrize("isa, expected", [(None, "AVX512_CORE"), ("AVX2", "AVX2")])
    def test_are_limited_unless_the_environment_chooses(self, isa, expected):
        done = self.run("import os, ocr_lib.mx; print(os.environ['DNNL_MAX_CPU_ISA'])", isa=isa)
        assert (done.stdout, done.stderr) == (f"{expected}\n", "")

    @pytest.fixture
    def compare(self, tmp_path):
        """Compare the network that reads marks with itself in 8 bits, in a process with or without VNNI."""
        np.save(tmp_path / "images.npy", np.stack([draw_marks([int(c) for c in text]) for text in TEXTS]))
        prefix = save(tmp_path / "ocr", mark_recipe(), mark_params())
        return lambda isa=None: self.run(COMPARE, prefix, tmp_path / "images.npy", isa=isa)

    @with_vnni
    def test_lstm_runs_on_a_cpu_with_vnni(self, compare):
        done = compare()
        assert (done.returncode, done.stdout) == (0, "True\n"), done.stderr

    @with_vnni
    def test_what_to_do_is_told_if_the_environment_chose_badly(self, compare):
        last = compare(isa="AVX512_CORE_VNNI").stderr.splitlines()[-1]
        assert last.startswith("ocr_lib.errors.OCRError: ") and "needs DNNL_MAX_CPU_ISA=AVX512_CORE" in last
