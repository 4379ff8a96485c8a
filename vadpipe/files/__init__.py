"""Files on disk: atomic writing, locks between processes, digests, and CSV reading.

In: paths, text and bytes. Out: files, or their rows. May import: ``errors``.
"""
