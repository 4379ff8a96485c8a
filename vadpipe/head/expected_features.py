"""The features that a head expects, read without its weights and without torch."""

from __future__ import annotations

from pathlib import Path

from safetensors import SafetensorError

from vadpipe.errors import FeatureError
from vadpipe.features.recipe import Recipe
from vadpipe.files.json_records import parse_record
from vadpipe.head.record import record_text


def expected_recipe(head: Path) -> Recipe:
    """Return how the features were made that a head was trained on.

    Args:
        head: the head file.

    Raises:
        FeatureError: if it cannot be read.
    """
    try:
        return Recipe.model_validate(parse_record(record_text(head))["recipe"])
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise FeatureError("is not a vadpipe head, or is damaged", file=head) from error
