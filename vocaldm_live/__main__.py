"""`python -m vocaldm_live` is the `vocaldm` command."""

import sys

from vocaldm_live.cli import main

if __name__ == "__main__":
    sys.exit(main())
