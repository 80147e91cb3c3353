"""Experiments: frozen configs in, flat records out."""
