"""Filling the gaps of real tables: `python -m benchmarks.tables`.

sources     tables inside packages, and generated ones
gaps        hides entries: at random, in blocks, dependent on another column
methods     HopfieldImputer and the methods of scikit-learn
quality     one record per table, gaps, seed and method
times       seconds by the number of rows
page        turns records into docs/tables.md
"""
