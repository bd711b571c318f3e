"""Runs the command of the same name; see ocr_lib/cli/serve.py."""

import sys

if __name__ == "__main__":
    from ocr_lib.cli.serve import main

    sys.exit(main())
