"""Studies: the demo of two documents, and published results, run by the command line.

They import public names of `hopfield` only, as a user's script does.
"""
