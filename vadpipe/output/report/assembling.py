"""Assembly of a page: a single file without external resources, and a policy that blocks any."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Iterable
from functools import cache
from importlib import resources
from pathlib import Path
from urllib.parse import quote

import jinja2
from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup

from vadpipe._version import __version__


@cache
def asset(name: str) -> str:
    """Return the text of a file of this package."""
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def render(
    template: str, *, styles: Iterable[str], scripts: Iterable[str], media: str, **values: object
) -> str:
    """Fill a template; anything that is not Markup is escaped.

    Args:
        template: its file.
        styles: the style sheets that go into the page, in order.
        scripts: the scripts, likewise.
        media: where the page may take video from, as the policy says it; ``'none'`` with its quotes.
        values: further values of the template.
    """
    style, script = ("\n".join(map(asset, names)) for names in (styles, scripts))
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(asset(template)).render(
        policy=content_policy(style, script, media),
        style=Markup(style),  # noqa: S704  # nosec B704 - our own file
        script=Markup(script),  # noqa: S704  # nosec B704 - our own file
        version=__version__,
        **values,
    )


def content_policy(style: str, script: str, media: str) -> str:
    """Return the page's Content-Security-Policy: its own style and script by their digests, little else."""
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src '{_digest(script)}'",
            f"style-src '{_digest(style)}'",
            "img-src data:",
            f"media-src {media}",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def json_block(content: object) -> Markup:
    """Return JSON that no HTML parser can take for the end of the script that holds it.

    Raises:
        ValueError: if a number is not finite, which JSON cannot say.
    """
    return htmlsafe_json_dumps(content, json.dumps, allow_nan=False, separators=(",", ":"))


def data_uri(content: bytes, kind: str) -> str:
    """Return bytes as an address of their own."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def relative_address(target: Path, page: Path) -> str:
    """Return the address of a file as seen from a page, percent-encoded; any byte may be in its name."""
    return quote(os.fsencode(os.path.relpath(target, page.parent)), safe="/")


def readable(name: str) -> str:
    """Return a file's name as text that can be written; bytes that are no UTF-8 become a sign for it."""
    return os.fsencode(name).decode("utf-8", "replace")
