"""Benchmarks of hopfield, run from a checkout: `python -m benchmarks [NAME…]` or `make bench`.

harness     what an entry is; checks it against float64, then times its contenders in turn
ceilings    what this machine can do at most, measured in the same rounds
memory      peak memory of one contender, in a process of its own
plain       the ways the library is measured against, and exact references
entries/    the workloads
machine     versions, and a neutral description of the machine
page        records → docs/performance.md and its pictures (pictures)
"""
