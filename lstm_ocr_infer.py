"""Runs the command of the same name; see ocr_lib/cli/infer.py."""

import sys

if __name__ == "__main__":
    from ocr_lib.cli.infer import main

    sys.exit(main())
