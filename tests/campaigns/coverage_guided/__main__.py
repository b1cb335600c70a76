"""``python -m tests.campaigns.coverage_guided``: the campaign of ``command.py``."""

import sys

from tests.campaigns.coverage_guided.command import main

if __name__ == "__main__":
    sys.exit(main())
