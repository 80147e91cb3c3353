"""The text of a memory: its parameters and what it holds."""

from typing import TYPE_CHECKING

from ..stores import RamStore
from .hooks import argument_text, config_of

if TYPE_CHECKING:
    from .base import Memory


def memory_text(memory: "Memory") -> str:
    """Return the class, its parameters and the content of its store."""
    values = {name: argument_text(value) for name, value in config_of(memory).items()}
    values |= {name: text for name, text in memory.config_text().items() if name in values}
    texts = [f"{name}={text}" for name, text in values.items()]
    parameters = ", ".join(texts)
    if type(memory.storage) is not RamStore and memory.storage.holds_patterns:
        parameters += f", store={memory.storage!r}"
    name = type(memory).__name__
    name += "" if memory.constructor == "__init__" else f".{memory.constructor}"
    return f"{name}({parameters}) <{_content(memory)}>"


def _content(memory: "Memory") -> str:
    store = memory.storage
    if not store.holds_patterns:
        return f"{store.dim} units, {str(store.dtype).removeprefix('torch.')}"
    if not len(store):
        return "empty"
    parts = [f"{len(store)} patterns of {store.dim} entries"]
    if store.annotations is not None:
        parts += ["with names"] if store.annotations.names is not None else []
        parts += ["with priors"] if store.prior is not None else []
        columns = len(store.annotations.table)
        parts += [f"a table of {columns} column{'s' * (columns > 1)}"] if columns else []
    if store.has_gaps:
        parts.append("with gaps")
    return ", ".join([*parts, str(store.dtype).removeprefix("torch.")])
