"""Feature extraction: from a video file to one feature vector per snippet.

In: files, folders and patterns. Out: feature files, and the record of the run. May import: ``weights``,
``features``, ``files``.

Follow one video: :mod:`~vadpipe.extract.video.discovery` finds it, :mod:`~vadpipe.extract.store` knows
whether it is already done, :mod:`~vadpipe.extract.video` gives its frames and their times,
:mod:`~vadpipe.extract.clips` cuts them into snippets, :mod:`~vadpipe.extract.view_crops` into squares,
:mod:`~vadpipe.extract.engines` run one of the :mod:`~vadpipe.extract.backbones`, and
:mod:`~vadpipe.extract.extractor` holds these together.
:mod:`~vadpipe.extract.extraction` does it for many videos.
"""
