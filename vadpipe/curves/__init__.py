"""The anomaly curve of a video, its events, and the explanation of an event.

In: scores of snippets and presentation times. Out: a :class:`~vadpipe.curves.curve.Curve`. May import:
``features``. Nothing here writes a file or draws: :mod:`vadpipe.output` does, see
:mod:`~vadpipe.curves.writer_registry`.
"""
