"""`python -m training` is `vocaldm-train`, for torchrun and for checkouts that are not installed."""

import sys

from training.cli import main

if __name__ == "__main__":
    sys.exit(main())
