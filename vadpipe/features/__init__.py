"""The feature file of a video, and the arithmetic of the snippets, windows and views that it records.

In: rows of numbers and how they were made. Out: feature files, and the same rows again. May import:
    ``files``.
"""
