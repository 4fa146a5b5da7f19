"""`python -m morpheus`, the same as the command."""

from morpheus.cli import main

main()
