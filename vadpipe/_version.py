"""The version of vadpipe, and the folder that it is installed in."""

from pathlib import Path

__version__ = "0.1.0"

PACKAGE_FOLDER = Path(__file__).parent
