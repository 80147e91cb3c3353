"""Layers trained on real digits: seeds, curves and records; not a matter of speed."""
