"""Runs the command line: `python3 -m wheel_tool`."""

import sys

from wheel_tool.cli import main

sys.exit(main())
