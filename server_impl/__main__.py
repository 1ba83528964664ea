"""The command ``tfs-reference-server``, a stand-in for ``tensorflow_model_server``."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from contextlib import suppress
from importlib import metadata
from typing import Any

from server_impl import TFS_VERSION, __version__, flags, logs
from server_impl.errors import ServingError
from server_impl.memory import keep_for_requests, unmap_loading_code

logger = logging.getLogger("server_impl")

#: Exit status for a server that cannot be started as asked [1.1.3, 1.1.7].
_CANNOT_START = 255
#: Seconds that requests in flight may take once the server was told to stop.
_GRACE_S = 20.0


def main() -> int:
    """Run the server until a signal ends it.

    Returns 255 if it cannot be started as asked, else ends by the signal itself, as the original does.
    """
    program, *arguments = sys.argv
    try:
        options = flags.parse(arguments)
    except flags.HelpRequestedError:
        return _refuse(flags.usage(program))
    except flags.BadFlagError as error:
        logs.set_up()
        logger.error("%s", error)
        return _refuse(flags.usage(program))
    if options.is_on("version"):
        print(f"TensorFlow ModelServer: {TFS_VERSION}+reference.{__version__}")
        print(f"TensorFlow Library: {metadata.version('tensorflow')}")
        return 0
    if options.unknown:
        print(f"unknown argument: {options.unknown[0]}\n{flags.usage(program)}", end="", flush=True)
    logs.set_up()
    for sentence in options.without_effect():
        logger.warning("%s", sentence)
    try:
        number = _run(options)
    except ServingError as error:
        return _refuse(f"Failed to start server. Error: {error}\n")
    return _end_by(number)


def _refuse(text: str) -> int:
    sys.stdout.write(text)
    return _CANNOT_START


def _run(options: flags.Options) -> int:
    keep_for_requests()
    with suppress(ImportError):
        import uvloop

        return uvloop.run(_serve(options))
    return asyncio.run(_serve(options))


async def _serve(options: flags.Options) -> int:
    """Serve until a signal comes; returns its number. Raises ServingError if there is nothing to serve."""
    from server_impl.server import Server  # loads TensorFlow: not for --version and refused flags

    loop = asyncio.get_running_loop()
    signalled: asyncio.Future[int] = loop.create_future()
    server = Server(options)
    for known in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(known, _on_signal, signalled, known)
    loading = loop.run_in_executor(None, server.load)
    waiting: set[asyncio.Future[Any]] = {loading, signalled}
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    if signalled.done():
        # Nothing is open and nobody waits: there is nothing to finish.
        _end_by(signalled.result())
    await loading
    unmap_loading_code()
    await server.open()
    number = await signalled
    logger.info("Received %s: answering the requests in flight, then ending", signal.Signals(number).name)
    await server.close(_GRACE_S)
    return number


def _on_signal(signalled: asyncio.Future[int], number: int) -> None:
    if signalled.done():
        _end_by(number)  # asked twice: now
    else:
        signalled.set_result(number)


def _end_by(number: int) -> int:
    """End the process as signal ``number`` does when nobody handles it, so that its parent sees why."""
    sys.stdout.flush()
    sys.stderr.flush()
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    return 128 + number


if __name__ == "__main__":
    sys.exit(main())
