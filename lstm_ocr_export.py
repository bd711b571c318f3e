"""Runs the command of the same name; see ocr_lib/cli/export.py."""

import sys

if __name__ == "__main__":
    from ocr_lib.cli.export import main

    sys.exit(main())
