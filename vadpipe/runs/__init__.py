"""Records of runs: what was asked, by which versions, of which inputs, and what became of it.

In: what a run says of itself while it goes on. Out: ``run.json`` beside its results. May import: features and
what lies below.
"""
