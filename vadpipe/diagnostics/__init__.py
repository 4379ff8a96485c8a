"""What ``vadpipe doctor`` and ``vadpipe licenses`` find out about an installation.

In: nothing. Out: facts about the environment, checks that pass, warn or fail, and licences. May import:
``extract``, ``scoring``, ``weights``.
"""
