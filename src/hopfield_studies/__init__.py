"""Studies that use the library as a script of yours would: the demo, and published results.

They import its public names only. `hopfield demo` and `hopfield reproduce` run them.
"""
