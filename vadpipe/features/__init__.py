"""Features: the file of one video, and the arithmetic of snippets, windows and views that it records.

Rows of a backbone come in, feature files go out, and back. Imports `files` alone.
"""
