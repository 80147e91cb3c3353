"""The command line, run in this process."""

import pytest

from hopfield.cli import commands


def run(
    capture: "pytest.CaptureFixture[str] | pytest.CaptureFixture[bytes]", *arguments: object
) -> tuple:
    """Return exit status, output and messages; the output is bytes for `capsysbinary`."""
    status = commands.run(list(map(str, arguments)))
    out, err = capture.readouterr()
    return status, out, err if isinstance(err, str) else err.decode()
