"""Reads the metrics page, and tells what changed on it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

from harness.client import RestClient
from harness.player import Player
from harness.terms import Protocol
from harness.verdict import Mismatch
from scenarios.monitoring.scenario import PATH

#: Seconds until a request that was answered must have been counted.
PATIENCE = 2.0

_SAMPLE = re.compile(r"([^{ ]+)(\{.*\}) (\S+)")
_TYPE = re.compile(r"# TYPE (\S+) (\S+)")

SERVING = ":tensorflow:serving:"


class Page(NamedTuple):
    """A metrics page: its lines, the type of each metric in order, and the samples by name and labels."""

    lines: list[str]
    types: Mapping[str, str]
    samples: Mapping[str, float]

    def labelled(self, name: str) -> dict[str, float]:
        """The samples of one metric, by their labels."""
        return {
            key.removeprefix(name): value for key, value in self.samples.items() if key.startswith(name + "{")
        }


def read(player: Player) -> Page:
    """The page as it is. Raises Mismatch where it cannot be read."""
    client = player.client(Protocol.REST)
    assert isinstance(client, RestClient)
    reply = client.exchange("GET", PATH)
    text = reply.body.decode()
    if reply.status != 200 or not text.endswith("\n"):
        raise Mismatch("200, and a page that ends with a line end", f"{reply.status} {text[-200:]!r}")
    lines = text.splitlines()
    types, samples = {}, {}
    for line in lines:
        if kind := _TYPE.fullmatch(line):
            types[kind[1]] = kind[2]
        elif sample := _SAMPLE.fullmatch(line):
            samples[sample[1] + sample[2]] = float(sample[3])
        else:
            raise Mismatch("a line '# TYPE name type' or 'name{labels} value'", line)
    return Page(lines, types, samples)


def expect_growth(
    player: Player, names: tuple[str, ...], act: Callable[[], object], expected: Mapping[str, float]
) -> None:
    """Do something, and wait until just these samples of the metrics ``names`` have grown by so much.

    Raises Mismatch when other samples have grown, or time is up.
    """
    before = read(player)
    act()
    end = time.monotonic() + PATIENCE
    while (grown := _growth(before, read(player), names)) != expected:
        if time.monotonic() > end:
            raise Mismatch(f"growth: {dict(expected)}", f"{grown}")
        time.sleep(0.02)


def _growth(before: Page, after: Page, names: tuple[str, ...]) -> dict[str, float]:
    return {
        key: value - before.samples.get(key, 0)
        for key, value in after.samples.items()
        if key.partition("{")[0] in names and value != before.samples.get(key, 0)
    }
