"""The parts of an Excel file that a stranger may have made, unpacked and checked before openpyxl reads them.

An Excel file is a zip archive of XML. A few kilobytes of it can unpack to gigabytes, and openpyxl makes an
object of every cell, also of each that a merged range or a link merely covers.
"""

from __future__ import annotations

import io
from pathlib import Path
from xml.parsers import expat  # nosec  # refuses document types below, without which no entity expands
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

MOST_BYTES = 2**27
"""Of all parts, unpacked: a sheet of a million cells has 30 MB."""

MOST_ELEMENTS = 2**21
"""Of all parts; a cell with a value has two."""

MOST_COVERED = 1_000_000
"""Cells in ranges of which openpyxl makes an object for each cell."""

_MOST_PARTS, _DEEPEST = 2**14, 100
_PIECE_BYTES = 2**16
_LONGEST_TAG = 2**20
_EXPANDED = ("mergeCell", "hyperlink", "comment")
_LAST_COLUMN, _LAST_ROW = 16_384, 1_048_576


def checked_parts(path: Path) -> io.BytesIO:
    """Return an Excel file with the same XML, uncompressed. What is no XML, such as a picture, is left empty.

    Raises:
        OSError: if it cannot be read.
        BadZipFile, NotImplementedError, RuntimeError, zlib.error: if it is no archive, or one that is
            damaged, packed in a way that Excel does not use, or encrypted.
        ValueError: if it unpacks to more, or holds more, than sheets of people do.
    """
    plain, limits = io.BytesIO(), _Limits()
    with ZipFile(path) as packed, ZipFile(plain, "w") as copy:
        parts = packed.infolist()
        if len(parts) > _MOST_PARTS:
            raise ValueError(f"it has {len(parts)} parts")
        # What is claimed here is the most that is unpacked below: the rest of a longer part is left.
        if (n_bytes := sum(part.file_size for part in parts)) > MOST_BYTES:
            raise ValueError(
                f"it unpacks to {n_bytes / 1e6:.0f} MB, above the limit of {MOST_BYTES / 1e6:.0f}"
            )
        for part in parts:
            if part.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
                raise NotImplementedError(f"the compression of {part.filename}")  # can unpack without bound
            copy.writestr(part.filename, _xml(packed, part.filename, limits))
    plain.seek(0)
    return plain


def _xml(packed: ZipFile, name: str, limits: _Limits) -> bytes:
    """Return a part in which all is within limits, or nothing if it is no XML."""
    content, parser = bytearray(), limits.parser()
    with packed.open(name) as part:
        while piece := part.read(_PIECE_BYTES):
            content += piece
            try:
                parser.Parse(piece, False)
            except expat.ExpatError:
                return b""
            if len(content) - parser.CurrentByteIndex > _LONGEST_TAG:
                raise ValueError(f"{name} has a tag that is longer than any")
    return bytes(content)


class _Limits:
    """Counts what openpyxl would make objects of, in all parts."""

    def __init__(self) -> None:
        self.n_elements = self.n_covered = self._depth = 0

    def parser(self) -> expat.XMLParserType:
        """Return a parser of a further part, which raises ValueError once there is too much."""
        parser, self._depth = expat.ParserCreate(), 0
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.StartDoctypeDeclHandler = self._refuse_doctype
        return parser

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self.n_elements += 1 + len(attributes) // 8
        self._depth += 1
        if self.n_elements > MOST_ELEMENTS:
            raise ValueError(f"it has more than {MOST_ELEMENTS} cells or other elements")
        if self._depth > _DEEPEST:
            raise ValueError("it is nested too deeply")
        if tag.rpartition(":")[2] in _EXPANDED and "ref" in attributes:
            self.n_covered += _area(attributes["ref"])
            if self.n_covered > MOST_COVERED:
                raise ValueError(f"{self.n_covered} cells are merged, or have one link or comment in common")

    def _end(self, _tag: str) -> None:
        self._depth -= 1

    def _refuse_doctype(self, *_: object) -> None:
        raise ValueError("it defines a document type")


def _area(reference: str) -> int:
    """Return how many cells a range such as ``A1:B3`` has; whole columns and rows have all of theirs."""
    from openpyxl.utils import range_boundaries

    first_column, first_row, last_column, last_row = range_boundaries(reference)
    n_columns = (last_column or _LAST_COLUMN) - (first_column or 1) + 1
    n_rows = (last_row or _LAST_ROW) - (first_row or 1) + 1
    return abs(n_columns) * abs(n_rows)
