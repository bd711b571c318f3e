"""Runs the command of the same name; see ocr_lib/cli/inspect.py."""

import sys

if __name__ == "__main__":
    from ocr_lib.cli.inspect import main

    sys.exit(main())
