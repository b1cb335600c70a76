"""``python -m tests.campaigns.requests``: the campaign of ``command.py``."""

import sys

# Services are forked, and each child imports this module: what it imports each would import.
if __name__ == "__main__":
    from tests.campaigns.requests.command import main

    sys.exit(main())
