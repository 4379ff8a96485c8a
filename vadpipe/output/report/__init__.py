"""Reports: a page per video that plays it along its curve, and a page that lists many; both work offline.

The page of a comparison is assembled of files from here, too, by :mod:`vadpipe.comparison.page`.
"""

from vadpipe.output.report.index import IndexEntry, write_index
from vadpipe.output.report.page import write_report

__all__ = ["IndexEntry", "write_index", "write_report"]
