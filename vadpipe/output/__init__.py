"""Output formats of a curve: tables, documents, subtitles, plots, reports and videos, one module each.

In: a :class:`~vadpipe.curves.curve.Curve`, and the video where pictures of it are needed. Out: files. May
import: ``curves``, ``extract``, ``features``, ``files``. Importing this package gives a curve its ``to_*``
methods, see :mod:`vadpipe.curves.writer_registry`.
"""

from vadpipe.curves.writer_registry import register_writers
from vadpipe.output.curve_writers import WRITERS

register_writers(WRITERS)
