"""Named errors. Every message says what was expected and what came."""

import sys
import warnings


class HopfieldError(ValueError):
    """Base of every error this library raises on purpose."""


class ShapeError(HopfieldError):
    """A tensor has the wrong shape."""


class InputTypeError(HopfieldError, TypeError):
    """An argument has the wrong type, or a tensor the wrong dtype."""


class DeviceError(HopfieldError):
    """Tensors that must meet lie on different devices."""


class DomainError(HopfieldError):
    """A value is outside the domain the formula is defined on (NaN, inf, not ±1, β < 0 …)."""


class OptionError(HopfieldError):
    """An unknown name, or options that contradict each other."""


class EmptyMemoryError(HopfieldError):
    """A memory without patterns cannot retrieve, and has no energy."""


class FileFormatError(HopfieldError):
    """A file is missing, damaged, or of a format this version cannot read."""


class DataError(HopfieldError):
    """A data set is missing, damaged, or of mixed shapes."""


class TableError(HopfieldError):
    """A table on disk is damaged, cannot be read or written, or was changed by another writer."""


class WorkerLostError(HopfieldError):
    """A process that shares a memory has ended, stopped, or made other calls.

    Attributes:
        ranks: the numbers of these processes, as `torch.distributed.get_rank()` gives them.
    """

    def __init__(self, message: str, ranks: tuple[int, ...] = ()) -> None:
        """Keep the ranks beside the message."""
        super().__init__(message)
        self.ranks = ranks


class MissingExtraError(HopfieldError, ImportError):
    """An optional dependency is not installed; the message names the extra that installs it."""


class CapacityWarning(UserWarning):
    """A network loses some of its patterns: they are too many, or too similar."""


class CalibrationWarning(UserWarning):
    """Patterns changed after a calibration that cannot be renewed: its damage is not known."""


class RecoveryWarning(UserWarning):
    """The newest change of a table was cut short by a crash, and has been set aside."""


def warn_caller(message: str, category: type[Warning]) -> None:
    """Warn at the line that called this package, however many of its functions lie between."""
    frame, level = sys._getframe(1), 2
    while frame.f_back and frame.f_globals.get("__name__", "").partition(".")[0] == __package__:
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)


def missing_extra(package: str, extra: str) -> MissingExtraError:
    """Return the error for an optional `package` that is not installed."""
    return MissingExtraError(
        f"this needs {package}, which is not installed. "
        f"Install it with: pip install {package} (part of: pip install 'hopfield[{extra}]')."
    )
