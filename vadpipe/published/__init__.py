"""Features that others have published, as feature files of ours.

:mod:`~vadpipe.published.files` finds them and joins the crops of one video, :mod:`~vadpipe.published.arrays`
reads them without running anything, :mod:`~vadpipe.published.frame_counts` knows how many frames a video has,
and :mod:`~vadpipe.published.importing` holds these together.
"""
