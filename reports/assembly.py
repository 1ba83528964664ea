"""Assembling a run from the lines of its record, with bounds on what is kept of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from reports import transcript
from reports.record import (
    SEVERITY,
    Calibration,
    Check,
    Diff,
    Event,
    Footer,
    Header,
    Level,
    Miniature,
    Outcome,
    Phase,
    Run,
    Spec,
    Target,
    Usage,
    Verdict,
)
from reports.transcript import cut
from reports.windows import Windows

#: Characters of exchanges kept for passed checks, and for all others.
PASSED_BUDGET = 4_000_000
OTHER_BUDGET = 16_000_000
#: Lines of one kind kept, windows and checks apart.
MAX_LINES = 20_000
_TEXT = 20_000


class Assembly:
    """Takes the lines of a record in order, header first; :meth:`run` gives what they add up to."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self._header: Header | None = None
        self._footer: Footer | None = None
        self._checks: dict[str, Check] = {}
        self._repeated: set[str] = set()
        self._budget = {True: PASSED_BUDGET, False: OTHER_BUDGET}
        self._folded = 0
        self._windows = Windows()
        self._metrics: dict[str, float] = {}
        self._kept: dict[str, list[Any]] = {}
        self._left_out: dict[str, int] = {}

    def add(self, line: Mapping[str, Any]) -> None:
        """Takes in one line that the schema accepts. Raises ValueError when its content cannot be read."""
        kind = line["kind"]
        if self._footer is not None:
            raise ValueError("stands after the footer")
        if kind == "check":
            self._add_check(line)
        elif kind == "window":
            self._windows.add(line)
        elif kind == "server":
            for name, value in line["metrics"].items():
                self._metrics[name] = self._metrics.get(name, 0.0) + (value or 0.0)
        elif kind == "header":
            self._header = _header(line)
        elif kind == "footer":
            self._footer = Footer(
                line.get("duration_s"), line.get("exit_code"), bool(line.get("interrupted"))
            )
        elif kind in _VALUES:
            kept = self._kept.setdefault(kind, [])
            if len(kept) < MAX_LINES:
                kept.append(_VALUES[kind](line))
            else:
                self._left_out[kind] = self._left_out.get(kind, 0) + 1

    def run(self) -> Run:
        """The run. Its notes say what the file lacks and what was left out."""
        assert self._header is not None, "lines() gives the header first"
        return Run(
            header=self._header,
            footer=self._footer,
            checks=tuple(self._checks.values()),
            miniatures=tuple(self._kept.get("miniature", ())),
            events=tuple(self._kept.get("event", ())),
            phases=tuple(self._kept.get("phase", ())),
            windows=self._windows,
            usage=tuple(self._kept.get("resource", ())),
            server_metrics=self._metrics,
            calibrations=tuple(self._kept.get("calibration", ())),
            verdicts=tuple(self._kept.get("verdict", ())),
            notes=tuple(self._all_notes()),
        )

    def _add_check(self, line: Mapping[str, Any]) -> None:
        check = _check(line)
        passed = check.outcome is Outcome.PASSED and not check.differs
        exchanges = tuple(transcript.exchange(each) for each in line.get("exchanges") or ())
        size = sum(len(each.request) + len(each.response) for each in exchanges)
        if size <= self._budget[passed]:
            self._budget[passed] -= size
        else:
            exchanges, self._folded = (), self._folded + 1
        # Set here and not by replace(): records hold many thousands of checks.
        object.__setattr__(check, "exchanges", exchanges)
        present = self._checks.get(check.id)
        if present is not None:
            self._repeated.add(check.id)
            if SEVERITY[present.outcome] <= SEVERITY[check.outcome]:
                return
        self._checks[check.id] = check

    def _all_notes(self) -> list[str]:
        notes = list(self.notes)
        if self._footer is None:
            notes.append("The record has no footer: the run did not finish.")
        elif self._footer.interrupted:
            notes.append("The run was interrupted.")
        if self._repeated:
            notes.append(
                f"Recorded more than once, the worst outcome counts: {_some(sorted(self._repeated))}."
            )
        if self._folded:
            notes.append(f"Exchanges of {self._folded} checks are left out for size; the record has them.")
        notes += [
            f"{count} more lines of kind {kind} are left out." for kind, count in self._left_out.items()
        ]
        return notes


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _header(line: Mapping[str, Any]) -> Header:
    tool, commit, spec = line["tool"], line.get("commit"), line.get("spec") or {}
    return Header(
        run=line["run"],
        tool=f"{tool['name']} {tool['version']}",
        started=line["started"],
        id=line["id"],
        target=_target(line["target"]),
        against=_target(line["against"]) if line.get("against") else None,
        versions={name: version for name, version in (line.get("versions") or {}).items() if version},
        machine=line.get("machine") or {},
        seeds=line.get("seeds") or {},
        commit=f"{commit['sha']}{' (with local changes)' if commit.get('dirty') else ''}" if commit else "",
        models={
            name: {version: digest or "" for version, digest in ((model or {}).get("versions") or {}).items()}
            for name, model in (line.get("models") or {}).items()
        },
        options=line.get("options") or {},
        spec=Spec(
            spec.get("title") or "",
            spec.get("url") or "",
            tuple(spec.get("facts") or ()),
            tuple(spec.get("rows") or ()),
            spec.get("titles") or {},
            spec.get("sources") or {},
        ),
    )


def _target(value: Mapping[str, Any]) -> Target:
    server, image = value.get("server") or {}, value.get("image") or {}
    return Target(
        spec=value["spec"],
        kind=value["kind"],
        label=value["label"],
        server=" ".join(part for part in (server.get("name"), server.get("version")) if part),
        image="@".join(part for part in (image.get("name"), image.get("digest")) if part),
        flags=tuple(value.get("flags") or ()),
        rest=value.get("rest") or "",
        grpc=value.get("grpc") or "",
    )


def _check(line: Mapping[str, Any]) -> Check:
    diff = line.get("diff")
    return Check(
        id=cut(line["id"], 500),
        chapter=cut(line["chapter"], 200),
        level=Level(line["level"]),
        outcome=Outcome(line["outcome"]),
        facts=tuple(line.get("facts") or ()),
        rows=tuple(line.get("rows") or ()),
        rule=cut(line.get("rule"), 2_000),
        protocol=line.get("protocol") or "",
        reason=cut(line.get("reason"), 2_000),
        expected=cut(line.get("expected"), _TEXT),
        actual=cut(line.get("actual"), _TEXT),
        recipe=cut(line.get("recipe"), _TEXT),
        duration_s=line.get("duration_s") or 0.0,
        diff=Diff(diff["equal"], cut(diff.get("cause"), 2_000), tuple(diff.get("paths") or ()))
        if diff
        else None,
    )


def _miniature(line: Mapping[str, Any]) -> Miniature:
    return Miniature(line["name"], cut(line.get("fault"), 2_000), line["caught"], tuple(line.get("by") or ()))


def _event(line: Mapping[str, Any]) -> Event:
    detail, version = line.get("detail"), line.get("version")
    return Event(
        t=line["t"],
        name=line["name"],
        model=line.get("model") or "",
        version="" if version is None else str(version),
        detail=cut(_plain(detail), 2_000),
    )


def _plain(detail: object) -> str:
    if detail is None:
        return ""
    if isinstance(detail, dict):
        return ", ".join(f"{name}: {_plain(value)}" for name, value in detail.items())
    return detail if isinstance(detail, str) else orjson.dumps(detail).decode()


def _phase(line: Mapping[str, Any]) -> Phase:
    return Phase(
        line["name"], line["t"], line["length_s"], line.get("rate"), line.get("p50_us"), line.get("p99_us")
    )


def _usage(line: Mapping[str, Any]) -> Usage:
    return Usage(line["t"], line["who"], line.get("cpu_percent"), line.get("rss_bytes"))


def _calibration(line: Mapping[str, Any]) -> Calibration:
    return Calibration(line.get("protocol") or "", line["ceiling_per_s"], line.get("null_p50_us"))


def _verdict(line: Mapping[str, Any]) -> Verdict:
    detail = line.get("detail")
    return Verdict(
        line["name"], line["ok"], cut(line["text"], 2_000), detail if isinstance(detail, dict) else {}
    )


_VALUES = {
    "miniature": _miniature,
    "event": _event,
    "phase": _phase,
    "resource": _usage,
    "calibration": _calibration,
    "verdict": _verdict,
}
