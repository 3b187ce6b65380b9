"""Run the command line: ``python -m fairstrike_verify``."""

import sys

from fairstrike_verify.cli import main

sys.exit(main())
