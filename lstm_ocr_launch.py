"""Runs the command of the same name; see ocr_lib/cli/launch.py."""

import sys

if __name__ == "__main__":
    from ocr_lib.cli.launch import main

    sys.exit(main())
