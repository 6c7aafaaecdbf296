"""A lake that several homes share through an object store: files by their sums, and a log of what is current.

Each home works on its own disk. Before a command it follows the log; what it publishes becomes current by one
conditional write, the next commit, which of two homes one alone can make.
"""
