"""Words that say whether something is normal or abnormal: names of folders, and labels in sheets."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection

NORMAL_WORDS = frozenset(
    {"normal", "normals", "nonviolence", "nonviolent", "nonfight", "nofight", "negative"}
)
NEGATIONS = frozenset({"no", "non", "not", "without", "kein", "keine", "keinen", "ohne", "nicht"})
_UCF_CRIME = {
    *("abuse", "arrest", "arson", "assault", "burglary", "explosion", "fighting", "accidents"),
    *("robbery", "shooting", "shoplifting", "stealing", "vandalism"),
}
ABNORMAL_WORDS = frozenset(
    {"abnormal", "anomaly", "anomalies", "anomalous", "unusual", "positive", "crime", "accident", "riot"}
    | {"violence", "violent", "fight", "fights"}
    | _UCF_CRIME
)

# Words that mean this in a cell, where something is said of one video, but not as the name of a folder.
_NORMAL_CELLS = frozenset(
    {"nothing", "none", "ok", "okay", "clear", "nichts", "keine", "nein", "n/a", "na", "-", "–"}
    | {"unauffällig", "unauffaellig", "normale", "normaler", "normales"}
)
_ABNORMAL_CELLS = frozenset(
    {"alarm", "incident", "incidents", "event", "events", "vorfall", "ereignis", "ja"}
    | {"auffällig", "auffaellig", "auffälligkeit", "auffälligkeiten", "schlägerei", "schlaegerei"}
)

LABEL_WORDS = "Use 1, yes, true or abnormal, 0, no, false or normal, or a word such as fight or noFight."
_ANSWERS = {
    **dict.fromkeys(("1", "yes", "y", "true", "t", "x"), True),
    **dict.fromkeys(("0", "no", "n", "false", "f"), False),
    **dict.fromkeys(_NORMAL_CELLS, False),
}


def plain_label(text: str) -> str:
    """Return a label without case, blanks at its ends and decimals, and with umlauts as one letter each."""
    return re.sub(r"\.0+$", "", unicodedata.normalize("NFC", text).strip().lower())


def label_of(text: str, normal: Collection[str] = ()) -> bool | None:
    """Return whether a label in a sheet means abnormal: a number, an answer, or a word of :func:`verdict`.

    Args:
        text: a cell. With a question mark in it, it does not say.
        normal: further labels that mean normal, as :func:`plain_label` writes them.
    """
    plain = plain_label(text)
    if plain in normal:
        return False
    if "?" in plain:
        return None
    if plain in _ANSWERS:
        return _ANSWERS[plain]
    return _said(unicodedata.normalize("NFC", text), ABNORMAL_WORDS | _ABNORMAL_CELLS)


def is_telling(text: str) -> bool:
    """Return whether a cell is a word of a label, rather than a number or an answer to any question."""
    letters = re.sub(r"[\W\d_]", "", text)
    return len(letters) > 2 and plain_label(text) not in ("yes", "true", "false", "nein")


def verdict(name: str) -> bool | None:
    """Return whether a name is that of something abnormal, or None if it does not say.

    It is split into words at everything that is not a letter and where a capital follows a small letter. A
    word in :data:`ABNORMAL_WORDS` makes it abnormal; with one of :data:`NEGATIONS` right before it
    (``noFight``, ``non_violence``), normal. A word in :data:`NORMAL_WORDS` makes it normal; with a negation
    before it, or beside an abnormal word, the name says nothing that is clear. UCF-Crime's
    ``…Normal_Videos_Anomaly`` is normal.
    """
    return _said(name, ABNORMAL_WORDS)


def _said(name: str, abnormal: Collection[str]) -> bool | None:
    """Return what a name says, where these words are abnormal; see :func:`verdict`."""
    # Letters of any script; a capital after a small letter begins a word, so does the last of several.
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)
    words = [word.lower() for word in re.findall(r"[^\W\d_]+", parted)]
    if words[-3:] == ["normal", "videos", "anomaly"]:
        return False
    said: set[bool] = set()
    for before, word, after in zip(["", *words], words, [*words[1:], ""], strict=False):
        if word in NEGATIONS and after not in abnormal:
            return None  # it denies something that this rule does not know
        if word in abnormal or (word in NORMAL_WORDS and before == "ab"):
            said.add(before not in NEGATIONS)
        elif word in NORMAL_WORDS:
            said.add(False)
    return said.pop() if len(said) == 1 else None
