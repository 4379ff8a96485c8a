"""How results show themselves in a notebook: facts, a small picture, and a short table."""

from __future__ import annotations

import base64
import io
import warnings
from collections.abc import Sequence
from html import escape

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from vadpipe.curves.curve import Curve
from vadpipe.output.event_text import one_line, place_text
from vadpipe.output.plot import draw_curve
from vadpipe.output.timecode import clock

SHOWN = 10
"""Rows of a table that are shown."""

_DPI = 72


def curve_html(curve: Curve) -> str:
    """Return a curve as HTML: its name and size, the plot, and its first events."""
    figure = Figure(figsize=(9, 2.8), layout="constrained")
    FigureCanvasAgg(figure)
    draw_curve(curve, figure.add_subplot())
    n_events = len(curve.events)
    facts = [
        f"{len(curve)} frames",
        f"{curve.end_s:.2f} s",
        "no threshold" if curve.threshold is None else f"threshold {curve.threshold:.3f}",
        f"{n_events} event{'' if n_events == 1 else 's'}",
    ]
    rows = [
        (
            str(number),
            f"{clock(event.start_s, curve.end_s)} to {clock(event.end_s, curve.end_s)}",
            f"{event.peak:.3f}",
            place_text(curve, event),
        )
        for number, event in enumerate(curve.events, 1)
    ]
    return card(one_line(curve.video), facts, figure, ("event", "time", "peak", "place"), rows)


def card(
    title: str,
    facts: Sequence[str],
    figure: Figure,
    columns: Sequence[str] = (),
    rows: Sequence[Sequence[str]] = (),
) -> str:
    """Return HTML that needs no network and no script.

    Args:
        title: shown in bold.
        facts: shown behind it.
        figure: drawn as a PNG inside the page.
        columns: of a table below; there is none without rows.
        rows: of the table, the first :data:`SHOWN` of them.
    """
    parts = [
        f"<strong>{escape(title)}</strong> {escape(' · '.join(facts))}",
        f'<br><img alt="plot of {escape(title)}" src="data:image/png;base64,{_png(figure)}">',
    ]
    if rows:
        head = "".join(f"<th>{escape(column)}</th>" for column in columns)
        body = "".join(
            f"<tr>{''.join(f'<td>{escape(field)}</td>' for field in row)}</tr>" for row in rows[:SHOWN]
        )
        parts.append(f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>")
    if len(rows) > SHOWN:
        parts.append(f"<p>and {len(rows) - SHOWN} more</p>")
    return f"<div>{''.join(parts)}</div>"


def _png(figure: Figure) -> str:
    image = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # a script that the font lacks, in a name
        figure.savefig(image, format="png", dpi=_DPI)
    return base64.b64encode(image.getvalue()).decode("ascii")
