"""Published weakly supervised detectors, written from their papers, to compare with on the same features.

A module each: :mod:`~vadpipe.head.peers.deepmil`, :mod:`~vadpipe.head.peers.rtfm`,
:mod:`~vadpipe.head.peers.ur_dmu`, :mod:`~vadpipe.head.peers.bn_wvad` and :mod:`~vadpipe.head.peers.mgfn`.
They see features as they are, and a segment that only pads a bag reaches no score, no loss and no
statistic. Their settings are in :mod:`vadpipe.head.methods`, and docs/peers.md tells what differs from what
was published.
"""
