"""The C reader on a Cortex-M33 that QEMU emulates: flash, RAM, and instructions an image, and whether all is the same.

Needs Debian's gcc-arm-none-eabi, libnewlib-arm-none-eabi and qemu-system-arm. Weights are random. Usage:
``python benchmarks/cortex_m.py``
"""

import re
import subprocess
import tempfile
from pathlib import Path

from c_reader import random_weights

import ocr_lib.deploy
from ocr_lib.deploy.c_source import c_files
from ocr_lib.feed.samples import load_samples
from ocr_lib.fixed.build import integer_network
from ocr_lib.preparation import Preparation
from ocr_lib.quant.info import quantized_recipe
from ocr_lib.recipe.quantization import parse_shorthand
from ocr_lib.recipe.settings import load_preset

IMAGES = 20
FONTS = Path(__file__).parents[1] / "font"
FOLDER = Path(ocr_lib.deploy.__file__).parent / "c" / "cortex-m"
COMPILE = "arm-none-eabi-gcc -std=gnu99 -Wall -Wextra -Werror -mthumb -mcpu=cortex-m33 -O3 -ffreestanding -nostartfiles"
SECTIONS = "-ffunction-sections -fdata-sections -Wl,--gc-sections -I."
EMULATE = "qemu-system-arm -M mps2-an505 -cpu cortex-m33 -nographic -monitor none -serial none -icount shift=0"
SEMIHOSTING = "-semihosting-config enable=on,target=native -kernel reader.elf"
# An instruction takes a nanosecond with -icount shift=0, and the machine's clock has 20 MHz.
INSTRUCTIONS_A_TICK = 50


def build(folder: Path) -> None:
    sources = [*FOLDER.glob("*.c"), "ocr_reader.c", "model.c"]
    command = [*COMPILE.split(), *SECTIONS.split(), "-T", FOLDER / "link.ld", "-o", "reader.elf", *sources]
    subprocess.run(command, cwd=folder, check=True)


def sizes(folder: Path) -> dict:
    """Return bytes by what they are: the whole, and arrays that a symbol names."""
    options = {"cwd": folder, "capture_output": True, "text": True}
    listed = subprocess.run(["arm-none-eabi-nm", "-S", "reader.elf"], check=True, **options)
    symbols = re.findall(r"^\w+ (\w+) \w (\w+)$", listed.stdout, re.MULTILINE)
    found = {"model": 0, "images": 0, "RAM": 0}
    for size, name in symbols:
        part = "images" if name.startswith("image_") else {"ocr_model": "model", "reader": "RAM"}.get(name)
        if part:
            found[part] += int(size, 16)
    whole = subprocess.run(["arm-none-eabi-size", "reader.elf"], check=True, **options)
    text = int(whole.stdout.splitlines()[1].split()[0])
    return {**found, "code": text - found["model"] - found["images"]}


def main() -> None:
    preset = load_preset("captcha")
    for shorthand in ("W8A8", "W4A4"):
        recipe = quantized_recipe(preset, parse_shorthand(shorthand))
        images = load_samples(FONTS, recipe, Preparation.of(recipe), "test", IMAGES).images
        network = integer_network(recipe, random_weights(recipe))
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            for file, data in c_files(network, recipe, list(images)).items():
                (folder / file).write_bytes(data)
            build(folder)
            size = sizes(folder)
            command = [*EMULATE.split(), *SEMIHOSTING.split()]
            result = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True, timeout=300)
        output = result.stdout + result.stderr
        ticks = [int(each) for each in re.findall(r"as on the desktop, (\d+) ticks", output)]
        assert result.returncode == 0 and len(ticks) == IMAGES, output
        million = INSTRUCTIONS_A_TICK * sum(ticks) / len(ticks) / 1e6
        print(
            f"{shorthand}: {len(ticks)} of {IMAGES} images with the texts and logits of the definition; "
            f"flash {size['model'] + size['code']:,} bytes (model {size['model']:,}, code {size['code']:,}), "
            f"RAM {size['RAM']:,} bytes, {million:.1f} million instructions an image"
        )


if __name__ == "__main__":
    main()
