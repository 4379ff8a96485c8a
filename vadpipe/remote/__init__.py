"""Files on object storage and web servers: fetched to local files, and written as whole objects.

In: addresses. Out: local files, and objects. May import: ``runs``, ``features``, ``weights``, ``files``.

Nothing else knows fsspec. :mod:`~vadpipe.remote.address` says what an address is,
:mod:`~vadpipe.remote.objects` lists, reads and writes objects with retries,
:mod:`~vadpipe.remote.remote_file` is one remote file and its local copy, :mod:`~vadpipe.remote.mirror` a
local folder whose files are uploaded.
"""
