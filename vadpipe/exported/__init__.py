"""Exported models: graphs of a backbone and a head, and the card that says how to run them.

In: the folder that :mod:`vadpipe.export` wrote. Out: a head and an engine, which score as those of vadpipe
do. May import: ``extract``, ``head``, ``features``, ``files``. Nothing here imports torch, so that a machine
that only scores need not have it.
"""
