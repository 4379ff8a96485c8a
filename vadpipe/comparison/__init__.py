"""Comparison of heads, and of curves of any origin, over the same test videos.

In: heads with features, folders of curves, or results of ``evaluate``; and the truth. Out: paired differences
with intervals, tables and a page. May import: ``evaluation``, ``published``, ``output`` and what lies below
these.
"""
