"""Published weakly supervised detectors, written from their papers, for comparison on the same features.

A module each: :mod:`~vadpipe.head.peers.deepmil`, :mod:`~vadpipe.head.peers.rtfm`,
:mod:`~vadpipe.head.peers.ur_dmu`, :mod:`~vadpipe.head.peers.bn_wvad` and :mod:`~vadpipe.head.peers.mgfn`.
They take features without standardising them, and segments that only pad a bag affect no score, no loss and
no batch statistic. Their settings are in :mod:`vadpipe.head.methods`; docs/peers.md lists the differences
from the publications.
"""
