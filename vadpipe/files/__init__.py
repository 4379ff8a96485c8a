"""Files on disk: written whole or not at all, locked between processes, and read as CSV.

In: paths, text and bytes. Out: files, or their rows. May import: ``errors``.
"""
