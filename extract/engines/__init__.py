"""Inference engines: torch on the CPU or a GPU, or OpenVINO; all agree with torch in float32.

:mod:`~vadpipe.extract.engines.engine` defines engines and chooses one,
:mod:`~vadpipe.extract.engines.overlap` keeps it busy while the next frames are decoded.
"""
