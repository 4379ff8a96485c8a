"""Video export: the annotated video, with the curve under every frame, and a clip of every event.

A hostile video meets FFmpeg in a child process alone, as when it is decoded for features. Follow one call:
:mod:`~vadpipe.output.video_export.annotated` and :mod:`~vadpipe.output.video_export.clips` are what is
called; :mod:`~vadpipe.output.video_export.job` is what they ask for,
:mod:`~vadpipe.output.video_export.exports` has the jobs on one video done one after the other,
:mod:`~vadpipe.output.video_export.process` starts and watches the child, and
:mod:`~vadpipe.output.video_export.child` does the job with :mod:`~vadpipe.output.video_export.annotating` or
:mod:`~vadpipe.output.video_export.cutting`. Those read with :mod:`~vadpipe.output.video_export.source`, turn
frames upright with :mod:`~vadpipe.output.video_export.picture`, draw with
:mod:`~vadpipe.output.video_export.strip`, and write with :mod:`~vadpipe.output.video_export.writing` and
:mod:`~vadpipe.output.video_export.sound`.

What the child imports needs no matplotlib and no torch, so that it starts in a third of a second.
"""
