"""Curves: the anomaly curve of a video, its events and the explanation of each.

Scores of snippets and presentation times come in, a :class:`~vadpipe.curves.curve.Curve` goes out. Imports
`features`; writes no file and draws nothing, which is what `output` does.
"""
