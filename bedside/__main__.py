"""`python -m bedside` is `bedside`."""

from bedside.cli import main

main()
