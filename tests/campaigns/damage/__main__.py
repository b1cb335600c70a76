"""``python -m tests.campaigns.damage``."""

from __future__ import annotations

import sys

from tests.campaigns.damage.command import main

if __name__ == "__main__":
    sys.exit(main())
