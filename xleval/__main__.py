"""``python -m xleval``."""

from xleval.cli import main

main()
