"""The vocabulary of start-up checks: a command line, files, and what becomes of the server.

A chapter of such checks is a table, like the cases of :mod:`harness.cases`::

    START_UPS = (
        StartUp(
            "batching-file-without-flag",
            "A batching parameters file is refused unless batching is on.",
            (*ONE_MODEL, "--batching_parameters_file=$FILES/batching"),
            refused("INVALID_ARGUMENT: server_options.batching_parameters_file is set without ..."),
            files={"batching": "max_batch_size { value: 4 }"},
            facts=("1.3.5", "CLI-06"),
        ),
    )

    pytestmark = pytest.mark.start_ups

    @pytest.mark.parametrize("start_up", START_UPS, indirect=True)
    def test_start_up(start_up):
        start_up()

Arguments go to the server as they are. In them, in the texts of files and in expected texts these words
stand for what the target chooses: ``$MODELS`` and ``$FILES``, the folders of the models and of ``files``
as the server sees them; ``$GRPC`` and ``$REST``, free ports; ``$TAKEN``, a port that another program uses;
``$SHARED``, one that another program uses and lets others use as well.

Nothing here touches disk or network; :mod:`harness.starting` plays a start-up.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field

from harness.terms import Level, Model, Protocol

#: Both ports, where the target has them free.
PORTS = ("--port=$GRPC", "--rest_api_port=$REST")
#: Both ports and the model ``m``.
ONE_MODEL = (*PORTS, "--model_name=m", "--model_base_path=$MODELS/m")
#: A version that cannot be loaded stops the start at once, not after minutes [3.4.5].
NO_RETRIES = "--max_num_load_retries=0"
#: The model of ``ONE_MODEL``.
M = Model("m", "half_plus_two")


@dataclass(frozen=True, slots=True)
class Exits:
    """The server ends by itself, with one of ``statuses`` (128 + N is the end by signal N).

    ``stdout`` and ``log`` must be found somewhere in what it wrote to standard output and error.
    """

    statuses: tuple[int, ...]
    _: KW_ONLY
    stdout: str | re.Pattern[str] | None = None
    log: str | re.Pattern[str] | None = None

    def __str__(self) -> str:
        return f"ends with status {' or '.join(map(str, self.statuses))}{_words(self.stdout, self.log)}"


@dataclass(frozen=True, slots=True)
class Serves:
    """The server comes up and shows ``model`` over these protocols; any other port is closed, if ``alone``.

    With ``model`` None no model is asked for, and any answer is enough.
    """

    model: str | None = "m"
    _: KW_ONLY
    over: tuple[Protocol, ...] = (Protocol.REST, Protocol.GRPC)
    alone: bool = True
    stdout: str | re.Pattern[str] | None = None
    log: str | re.Pattern[str] | None = None

    def __str__(self) -> str:
        served = "comes up" if self.model is None else f"serves model {self.model!r}"
        alone = " alone" if self.alone and len(self.over) == 1 else ""
        return f"{served} over {' and '.join(self.over)}{alone}{_words(self.stdout, self.log)}"


@dataclass(frozen=True, slots=True)
class Waits:
    """The server runs on, and has opened no port after ``seconds``."""

    seconds: float
    _: KW_ONLY
    stdout: str | re.Pattern[str] | None = None
    log: str | re.Pattern[str] | None = None

    def __str__(self) -> str:
        return f"waits with closed ports for {self.seconds:g} s{_words(self.stdout, self.log)}"


Outcome = Exits | Serves | Waits


@dataclass(frozen=True, slots=True)
class StartUp:
    """One start of a server, and what may become of it: any one of ``outcomes``.

    ``models`` lie in the repository; nothing else tells the server of them. ``rule`` is the sentence that
    is tested.
    """

    id: str
    rule: str
    arguments: tuple[str, ...]
    outcomes: Outcome | tuple[Outcome, ...]
    _: KW_ONLY
    facts: tuple[str, ...]
    level: Level = Level.MUST
    models: tuple[Model, ...] = (M,)
    files: Mapping[str, str] = field(default_factory=dict)

    @property
    def possible(self) -> tuple[Outcome, ...]:
        """The outcomes, as a tuple."""
        return self.outcomes if isinstance(self.outcomes, tuple) else (self.outcomes,)

    def __str__(self) -> str:
        return "the server " + ", or ".join(map(str, self.possible))


def refused(error: str | re.Pattern[str], *, log: str | re.Pattern[str] | None = None) -> Exits:
    """The start is refused: status 255, and a line that tells the error [1.1.7].

    ``error`` is the error's code and text, ``NOT_FOUND: ...``; a pattern must match all of it.
    """
    text = re.escape(error) if isinstance(error, str) else f"(?:{error.pattern})"
    line = re.compile(rf"(?m)^Failed to start server\. Error: {text}$")
    return Exits((255,), stdout=line, log=log)


def not_loaded(version: str, error: str | re.Pattern[str]) -> Exits:
    """The start is refused because a version, ``{name: m version: 1}``, cannot be loaded [3.4.4]."""
    text = re.escape(error) if isinstance(error, str) else error.pattern
    listed = rf"\{{\{{{re.escape(version)} due to error: {text}\}}, \}}"
    return refused(re.compile(rf"UNKNOWN: 1 servable\(s\) did not become available: {listed}"))


def _words(stdout: str | re.Pattern[str] | None, log: str | re.Pattern[str] | None) -> str:
    parts = [
        f"{text if isinstance(text, str) else f'/{text.pattern}/'} {where}"
        for text, where in ((stdout, "on standard output"), (log, "in its log"))
        if text is not None
    ]
    return ", with " + " and ".join(parts) if parts else ""
