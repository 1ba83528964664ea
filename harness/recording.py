"""The record of a run: one JSON object a line, written as it happens.

Kinds and keys are those of ``reports/schema``. The first line is the header, the last the footer; a
file without footer is an unfinished run.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import platform
import secrets
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from google.protobuf.message import Message

from harness.client import Exchange
from harness.models import cache
from harness.scenario import Scenario
from harness.targets import Target
from harness.terms import Protocol
from harness.wire import methods
from harness.wire.methods import METHODS

SCHEMA = 1
#: Bytes of a body that a record keeps; of a longer one it keeps the beginning, the length and a hash.
BODY_LIMIT = 4096
#: Characters of a message's text that a record keeps, beside its bytes.
TEXT_LIMIT = 3500
#: Exchanges of a check that a record keeps: the last ones.
EXCHANGES_KEPT = 4

_PACKAGES = ("tensorflow", "keras", "numpy", "grpcio", "protobuf", "pytest", "locust")


def default_path() -> Path:
    """``reports/out/<stamp>/run.jsonl`` below the current folder."""
    return Path("reports", "out", f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{os.getpid()}", "run.jsonl")


class Record:
    """A record being written to ``path``, whose folder is made. Each line is on disk when it is written.

    ``run`` is ``conformance``, ``load`` or ``bench``; ``header`` holds further keys of the header.
    """

    def __init__(
        self, path: Path, run: str, target: Target, against: Target | None = None, **header: Any
    ) -> None:
        self.path = path
        self.started = time.time()
        self._lines = 0
        self._writing = threading.Lock()
        self._outcomes: Counter[str] = Counter()
        self._levels: dict[str, Counter[str]] = {}
        #: How many checks were skipped for each reason.
        self.skipped: Counter[str] = Counter()
        first = {
            "schema": SCHEMA,
            "run": run,
            "tool": {"name": "tfserving-harness", "version": _version("tfserving-harness")},
            "started": _utc(self.started),
            "id": f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}",
            "target": _described(target),
            "against": None if against is None else _described(against),
            "versions": {"python": platform.python_version()} | {name: _version(name) for name in _PACKAGES},
            "machine": machine(),
            "commit": commit(),
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("w", encoding="utf-8")
        self.write("header", **first, **header)

    def check(self, line: dict[str, Any]) -> None:
        """Add a check's line and count it. Its exchanges come from ``exchange_line``."""
        self._outcomes[line["outcome"]] += 1
        self._levels.setdefault(line["level"], Counter())[line["outcome"]] += 1
        if line["outcome"] == "skipped":
            self.skipped[line["reason"]] += 1
        exchanges = [
            {"t": self.since_start(exchange["at"])} | {key: exchange[key] for key in exchange if key != "at"}
            for exchange in line["exchanges"]
        ]
        self.write("check", **{**line, "exchanges": exchanges})

    def write(self, kind: str, **fields: Any) -> None:
        """Add a line. Numbers that are not finite must have been replaced before."""
        line = json.dumps({"kind": kind, **fields}, allow_nan=False) + "\n"
        with self._writing:  # events may come from several threads
            self._file.write(line)
            self._file.flush()
            self._lines += 1

    @property
    def levels(self) -> Mapping[str, Mapping[str, int]]:
        """Outcomes of the checks so far, by level."""
        return self._levels

    def since_start(self, at: float) -> float:
        """A time since the epoch as seconds since the run's start."""
        return max(0.0, round(at - self.started, 6))

    def close(self, *, exit_code: int, interrupted: bool = False) -> None:
        """Write the footer. Further lines are an error."""
        self.write(
            "footer",
            finished=_utc(time.time()),
            duration_s=self.since_start(time.time()),
            exit_code=exit_code,
            interrupted=interrupted,
            checks=self._outcomes.total(),
            outcomes=dict(self._outcomes),
            levels={level: dict(counts) for level, counts in sorted(self._levels.items())},
            lines=self._lines + 1,
        )
        self._file.close()


def exchange_line(exchange: Exchange, side: str = "target") -> dict[str, Any]:
    """An exchange for ``Record.check``; ``at`` is its time since the epoch."""
    request: dict[str, Any] = {"method": exchange.method}
    response: dict[str, Any] = {"code": exchange.status, "details": exchange.text}
    asked, answered = METHODS.get(exchange.method, (None, None))
    if exchange.protocol is Protocol.REST:
        method, _, path = exchange.method.partition(" ")
        status, _, reason = exchange.status.partition(" ")
        request = {
            "method": method or None,
            "target": path or None,
            "headers": [list(pair) for pair in exchange.request_headers],
        }
        response = {
            "status": int(status),
            "reason": reason,
            "headers": [list(pair) for pair in exchange.reply_headers],
        }
    return {
        "at": exchange.started,
        "side": side,
        "protocol": exchange.protocol.value,
        "duration_s": round(exchange.duration_s, 6),
        "request": request | _body(exchange.request, exchange.protocol) | _text(asked, exchange.request),
        "response": response | _body(exchange.reply, exchange.protocol) | _text(answered, exchange.reply),
    }


def model_hashes(scenarios: Iterable[Scenario]) -> dict[str, Any]:
    """The header's ``models``: what the version folders at the start of each scenario were built from."""
    return {
        f"{scenario.id}/{model.name}": {
            "versions": {
                str(version): f"{model.builder}:{cache.key(model.builder)}:{model.contents(version)}"
                for version in model.versions
            }
        }
        for scenario in scenarios
        for model in scenario.models
    }


def machine() -> dict[str, Any]:
    """What the run ran on."""
    cpu = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text().splitlines()
        cpu = next((line.partition(": ")[2] for line in lines if line.startswith("model name")), cpu)
    governor = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "os": platform.platform(),
        "arch": platform.machine(),
        "governor": governor.read_text().strip() if governor.exists() else None,
    }


def commit() -> dict[str, Any] | None:
    """The commit of the current folder, if it is a git checkout."""
    answers = []
    for command in (["git", "rev-parse", "HEAD"], ["git", "status", "--porcelain"]):
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
        except (OSError, subprocess.SubprocessError):
            return None
        answers.append(done.stdout.strip())
    return {"sha": answers[0], "dirty": bool(answers[1])}


def _described(target: Target) -> dict[str, Any]:
    return {"spec": target.spec, "kind": target.kind, **target.describe()}


def _body(body: bytes, protocol: Protocol) -> dict[str, Any]:
    """Text where it is text, base64 where it is not, cut where it is long."""
    kept = body[:BODY_LIMIT]
    cut = {} if len(kept) == len(body) else {"bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()}
    if protocol is Protocol.REST:
        try:
            return {"body": kept.decode(), **cut}
        except UnicodeDecodeError:
            pass
    return {"body_b64": base64.b64encode(kept).decode(), **cut}


def _text(kind: type[Message] | None, body: bytes) -> dict[str, str]:
    """A message for people to read; nothing of what cannot be read, or is kept in part only."""
    if kind is None or not body or len(body) > BODY_LIMIT:
        return {}
    text = methods.text(kind, body)
    if text is None or len(text) <= TEXT_LIMIT:
        return {} if text is None else {"text": text}
    return {"text": f"{text[:TEXT_LIMIT]}… ({len(text) - TEXT_LIMIT:,} more characters)"}


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _utc(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
