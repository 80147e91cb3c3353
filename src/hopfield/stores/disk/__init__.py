"""A store on disk: a Lance table whose changes are durable once they return."""

from .store import DiskStore

__all__ = ["DiskStore"]
