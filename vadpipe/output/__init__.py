"""Output: a curve comes in; tables, documents, subtitles, pictures, reports and videos go out.

Imports ``curves``, ``features``, ``files`` and, to read a video again, ``extract.video``. Importing this
package gives :class:`~vadpipe.curves.curve.Curve` its ``to_*`` methods, see :mod:`vadpipe.curves.writers`.
"""

from vadpipe.curves.curve import Curve
from vadpipe.curves.writers import register_writers
from vadpipe.output.curve_writers import WRITERS

__all__ = ["Curve"]

register_writers(WRITERS)
