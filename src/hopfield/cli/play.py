"""`hopfield play`: serve the playground to a browser on this computer, or write it to a file."""

import webbrowser

from ..errors import HopfieldError, missing_extra

LARGEST_PORT = 65535


def play(export: str, name: str, port: str) -> None:
    """Write the page to the file `export`; without one, serve it with the data of a name."""
    if export:
        from hopfield_play import build

        if name:
            raise HopfieldError(
                "--export writes the page without a server, which --data needs. Leave one out."
            )
        print(build.write(export))
        return
    try:
        from hopfield_play import server
    except ModuleNotFoundError as missing:
        if missing.name not in ("fastapi", "uvicorn"):
            raise
        error = missing_extra(missing.name, "play")
        raise HopfieldError(f"{error} Or write the page to a file: --export page.html") from None
    from hopfield_play.served_set import load_set

    if not (port.isdecimal() and int(port) <= LARGEST_PORT):
        raise HopfieldError(
            f"--port must be a whole number from 0 to {LARGEST_PORT}, but is {port!r}."
        )
    server.serve(load_set(name or "digits"), int(port), _show)


def _show(address: str) -> None:
    print(f"{address}  (Ctrl-C ends it)", flush=True)
    webbrowser.open(address)
