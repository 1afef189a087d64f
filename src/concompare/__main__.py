"""Run `python -m concompare`."""

from __future__ import annotations

import sys

from concompare.command.entry import main

if __name__ == "__main__":
    sys.exit(main())
