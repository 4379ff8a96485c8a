"""Words that say whether something is normal or abnormal: names of folders, and labels in sheets."""

from __future__ import annotations

import re

NORMAL_WORDS = frozenset(
    {"normal", "normals", "nonviolence", "nonviolent", "nonfight", "nofight", "negative"}
)
NEGATIONS = frozenset({"no", "non", "not", "without"})
_UCF_CRIME = {
    *("abuse", "arrest", "arson", "assault", "burglary", "explosion", "fighting", "accidents"),
    *("robbery", "shooting", "shoplifting", "stealing", "vandalism"),
}
ABNORMAL_WORDS = frozenset(
    {"abnormal", "anomaly", "anomalies", "anomalous", "unusual", "positive", "crime", "accident", "riot"}
    | {"violence", "violent", "fight", "fights"}
    | _UCF_CRIME
)

LABEL_WORDS = "Use 1, yes, true or abnormal, 0, no, false or normal, or a word such as fight or noFight."
_ANSWERS = {
    **dict.fromkeys(("1", "yes", "y", "true", "t", "x"), True),
    **dict.fromkeys(("0", "no", "n", "false", "f"), False),
}


def label_of(text: str) -> bool | None:
    """Return whether a label in a sheet means abnormal: a number, an answer, or a word of :func:`verdict`."""
    plain = re.sub(r"\.0+$", "", text.strip().lower())
    return _ANSWERS[plain] if plain in _ANSWERS else verdict(text)


def verdict(name: str) -> bool | None:
    """Return whether a name is that of something abnormal, or None if it does not say.

    It is split into words at everything that is not a letter and where a capital follows a small letter. A
    word in :data:`ABNORMAL_WORDS` makes it abnormal; with one of :data:`NEGATIONS` right before it
    (``noFight``, ``non_violence``), normal. A word in :data:`NORMAL_WORDS` makes it normal; with a negation
    before it, or beside an abnormal word, the name says nothing that is clear. UCF-Crime's
    ``…Normal_Videos_Anomaly`` is normal.
    """
    # Letters of any script; a capital after a small letter begins a word, so does the last of several.
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)
    words = [word.lower() for word in re.findall(r"[^\W\d_]+", parted)]
    if words[-3:] == ["normal", "videos", "anomaly"]:
        return False
    said: set[bool] = set()
    for before, word, after in zip(["", *words], words, [*words[1:], ""], strict=False):
        if word in NEGATIONS and after not in ABNORMAL_WORDS:
            return None  # it denies something that this rule does not know
        if word in ABNORMAL_WORDS or (word in NORMAL_WORDS and before == "ab"):
            said.add(before not in NEGATIONS)
        elif word in NORMAL_WORDS:
            said.add(False)
    return said.pop() if len(said) == 1 else None
