"""Training: from labelled features to a calibrated head.

In: a folder of feature files and labels of whole videos. Out: a head file and what the training measured. May
import: ``annotations``, ``head``, ``curves``, ``extract``, ``features``, ``files``.

:mod:`~vadpipe.training.fit` is called; :mod:`~vadpipe.annotations.labels` says which video is abnormal,
:mod:`~vadpipe.training.cross_validation` trains on :mod:`~vadpipe.training.folds` by the
:mod:`~vadpipe.training.loop`, picks a step (:mod:`~vadpipe.training.step_selection`) and sets the threshold
(:mod:`~vadpipe.training.calibration`). :mod:`~vadpipe.training.resume` keeps what an interruption leaves.
"""
