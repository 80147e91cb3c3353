"""Errors of Lance and of the system, as errors of this library."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from ...errors import HopfieldError, TableError
from . import durable, sums
from .paths import local_folder

NO_ROOM = ("No space left", "File too large", "quota exceeded", "os error 28", "os error 27")
BAD_PAGE = "PageLayout"
LOCATION = re.compile(r",? \S+\.rs:\d+:\d+")
"""Where an error arose in the source of Lance."""
MADE_MEANWHILE = ("Dataset already exists", f"{durable.VERSIONS}/0.manifest was not found")
"""Answers of Lance to the first commit of a table that another writer made in the same instant."""
BAD_REQUEST = "Invalid user input: "
NO_ANSWER = ("LanceError(IO): Generic", "object store provider", "Could not parse bucket")
NO_RIGHT = ("Permission denied", "Read-only", "not permitted", "os error 13", "os error 30")


@contextmanager
def reading(path: str, version: int | None = None) -> Iterator[None]:
    """Raise errors of Lance and of the system as `TableError`; `version` is being read."""
    try:
        yield
    except HopfieldError:
        raise
    except BaseException as error:
        text = LOCATION.sub("", " ".join(str(error).split()))
        is_panic = type(error).__name__ == "PanicException"
        if not (
            is_panic or isinstance(error, (OSError, ValueError, RuntimeError, ArithmeticError))
        ):
            raise
        check_version(path, version)
        is_second = any(mark in text for mark in MADE_MEANWHILE)
        if is_second or type(error).__name__ == "CommitConflictError":
            raise changed_elsewhere(path) from None
        if any(mark in text for mark in NO_ROOM):
            what = "needs room for what is stored, but the disk or a limit of the process is full"
        elif any(mark in text for mark in NO_RIGHT):
            what = "must be a table that this process may write, but is not"
        elif "://" in path and any(mark in text for mark in NO_ANSWER):
            what = "must be in a bucket that answers, with the keys to it in the environment, but"
        elif BAD_REQUEST in text and BAD_PAGE not in text:
            what = "needs a condition on its columns, in SQL, but the answer was"
            text = text.partition(BAD_REQUEST)[2]
        else:
            folder = local_folder(path)
            cut = sums.cut_files(folder) if folder and folder.is_dir() else []
            found = f"{', '.join(cut):.200} is cut short" if cut else "is damaged or cannot be read"
            what = f"must be a whole Lance table, but {found}"
        raise TableError(f"{path} {what}: {text:.200}.") from None


def check_version(path: str, version: int | None) -> None:
    """Raise if this version of a local table is gone, as after `compact` by another store."""
    folder = local_folder(path)
    if version and folder is not None and not folder.exists():
        raise TableError(f"{path} must stay where it was opened, but is not there.")
    if version and folder is not None and version not in durable.manifests_of(folder):
        raise changed_elsewhere(path)


def changed_elsewhere(path: str) -> TableError:
    """Return the error of a store whose table is not as it was opened."""
    return TableError(
        f"{path} was changed by another writer since it was opened here. Open it again: "
        "DiskStore(path)."
    )
