"""Layers against logistic regression, support vectors and gated attention, on small tasks."""
