"""``python -m vadpipe``."""

from vadpipe.cli import main

main()
