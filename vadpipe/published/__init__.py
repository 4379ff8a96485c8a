"""Import of published features.

In: files of arrays. Out: feature files. May import: ``extract``, ``features``, ``files``.

From what the user names to a feature file:

* :mod:`~vadpipe.published.files` finds the videos; a file may hold one, one crop of one, or many, and
  :mod:`~vadpipe.published.members` knows which arrays of such a file are which video.
* :mod:`~vadpipe.published.arrays` reads a file that holds one array (:mod:`~vadpipe.published.npy`,
  :mod:`~vadpipe.published.tables`), :mod:`~vadpipe.published.containers` one that holds many
  (:mod:`~vadpipe.published.hdf5_process`, :mod:`~vadpipe.published.torch_files`). None runs anything or opens
  another file.
* :mod:`~vadpipe.published.axes` puts rows, crops and numbers into one order.
* :mod:`~vadpipe.published.frame_counts` knows how many frames a video has.
* :mod:`~vadpipe.published.import_features` holds these together.
"""
