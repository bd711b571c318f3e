"""Runs the command of the same name; see ocr_lib/cli/generate_text.py."""

import sys

if __name__ == "__main__":
    from ocr_lib.cli.generate_text import main

    sys.exit(main())
