"""What a machine, a shell or a user may have set, and no test may depend on."""

import os
import signal
from pathlib import Path

from vadpipe.weights import layout

ROOT = Path(__file__).parents[2]
_USERS_CACHE = "TESTS_USERS_CACHE"

# How wide and how colourful a terminal is, for rich and typer; how matplotlib draws.
_LOOKED_AT = {
    "COLUMNS", "LINES", "TERM", "COLORTERM", "NO_COLOR", "FORCE_COLOR", "PY_COLORS", "CLICOLOR", "CLICOLOR_FORCE",
    "GITHUB_ACTIONS", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "MPLBACKEND", "MATPLOTLIBRC",
}  # fmt: skip


def clear_environment() -> None:
    """Set what children inherit as well: the environment, and that Ctrl-C is not ignored."""
    # The first of several processes that run tests knows it, and the others are told.
    os.environ.setdefault(_USERS_CACHE, str(layout.folder()))
    for name in [*os.environ]:
        own = name.startswith("VADPIPE_") and name != "VADPIPE_DATA"
        if own or name in _LOOKED_AT or name.startswith(("PYTHON", "TYPER_", "_TYPER_")):
            del os.environ[name]
    os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
    for name in ("NO_PROXY", "no_proxy"):  # weights may need a proxy, the tests' own servers need none
        os.environ[name] = ",".join(filter(None, [os.environ.get(name), "127.0.0.1", "localhost"]))
    os.environ["PYTHONPATH"] = str(ROOT)  # the code that is tested, wherever a process runs
    # A shell without job control has what it starts in the background ignore Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def users_cache() -> str:
    """Return the folder of the weights that this machine has fetched already."""
    return os.environ[_USERS_CACHE]
