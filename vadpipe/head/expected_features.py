"""The features that a head expects, read without its weights and without torch."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import ValidationError
from safetensors import SafetensorError, safe_open

from vadpipe.errors import FeatureError
from vadpipe.features.recipe import Recipe


def expected_recipe(head: Path) -> Recipe:
    """Return how the features were made that a head was trained on.

    Args:
        head: the head file.

    Raises:
        FeatureError: if it cannot be read.
    """
    try:
        with safe_open(head, framework="numpy") as file:
            record = json.loads((file.metadata() or {})["vadpipe.head"])
        return Recipe.model_validate(record["recipe"])
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, ValidationError) as error:
        raise FeatureError("is not a vadpipe head, or is damaged", file=head) from error
