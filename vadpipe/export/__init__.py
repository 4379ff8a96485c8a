"""Export: a backbone and a head as graphs of ONNX and OpenVINO, for machines that only score.

In: a head. Out: a folder with graphs, a card, and a report of how far they agree with vadpipe. May import:
``scoring``, ``diagnostics`` (for a rendered clip) and what they may.

:mod:`~vadpipe.export.graphs` says what the graphs compute, :mod:`~vadpipe.export.onnx_files` and
:mod:`~vadpipe.export.openvino_files` write them, :mod:`~vadpipe.export.card_writing` says how to run them,
:mod:`~vadpipe.export.parity` compares; :mod:`~vadpipe.export.exporting` is the way in.
:mod:`vadpipe.exported` reads what is written here.
"""
