"""`python -m dyad` is `dyad`."""

from dyad.cli import main

main()
