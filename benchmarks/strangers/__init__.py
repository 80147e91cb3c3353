"""How often strangers are accepted: `python -m benchmarks.strangers`.

cases       sets of patterns, and damages
rates       one record per set, damage, rate and seed
page        turns records into docs/strangers.md and its picture
"""
