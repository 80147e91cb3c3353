"""A store whose rows are shared among processes, and what passes between these."""

from .store import ShardedStore

__all__ = ["ShardedStore"]
