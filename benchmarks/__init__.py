"""Benchmarks of hopfield, run from a checkout: `python -m benchmarks [NAME…]` or `make bench`.

harness     defines an entry; checks answers against float64, then times the contenders in turn
ceilings    measures the limits of this machine in the same rounds
memory      measures peak memory of one contender, in a separate process
plain       holds the baselines of the library, and exact references
entries/    holds the workloads
machine     describes versions and processor; limits the instruction set
compare     compares the speed of two source trees
page        turns records into docs/performance.md and its pictures (pictures)
"""
