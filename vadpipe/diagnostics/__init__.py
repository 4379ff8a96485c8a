"""What ``vadpipe doctor`` finds out about a machine.

In: nothing. Out: facts about the environment, and checks that pass, warn or fail. May import: ``extract``,
``scoring``, ``weights``.
"""
