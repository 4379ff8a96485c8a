"""What the process that parses a stranger's file is denied: other files, the network, other processes.

In: the descriptors and files that a child process needs. Out: a process that the kernel confines to them. May
import: no other module of vadpipe.
"""
