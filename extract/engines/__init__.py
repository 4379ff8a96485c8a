"""What runs a backbone: torch on the CPU or a GPU, or OpenVINO; all agree with torch in float32.

:mod:`~vadpipe.extract.engines.engine` says what an engine is and which one is taken,
:mod:`~vadpipe.extract.engines.overlap` keeps it busy while the next frames are decoded.
"""
