"""Files: written whole or not at all, locked, and read as CSV.

Paths and text come in, files go out. Imports nothing of vadpipe but its errors.
"""
