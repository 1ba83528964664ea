"""Pages: one self-contained HTML file, without network, with nothing from a record ever run as script."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from reports import bars, charts, units, verdict, views
from reports.charts import Figure
from reports.comparison import compare_loads
from reports.conformance import COUNTED, Conformance, Tally, conformance
from reports.load import Load, load
from reports.record import Outcome, Run
from reports.trend import Trend

_SAFE_LINK = re.compile(r"(?:https?://|[\w./#-]+$)", re.IGNORECASE)


def report(runs: Sequence[Run]) -> str:
    """The page on one or more runs: verdicts, what was checked, how fast it was, where it comes from."""
    checked = [run for run in runs if run.is_conformance]
    loaded = [run for run in runs if not run.is_conformance]
    names = views.labels(runs)
    context: dict[str, Any] = {
        "title": _title(checked, loaded),
        "runs": [
            {"run": run, "name": name, "headline": verdict.headline(run)}
            for run, name in zip(runs, names, strict=True)
        ],
        "checks": _checks(conformance(checked)) if checked else None,
        "load": _loads(loaded) if loaded else None,
    }
    return _page("report.html", context)


def trend(found: Trend) -> str:
    """The page on many runs in time."""
    series = [
        {"one": one, "figures": [(name, bars.history(points, unit)) for name, unit, points in one.figures]}
        for one in found.series
    ]
    return _page("trend.html", {"title": "Trend", "trend": found, "series": series})


def _page(template: str, context: Mapping[str, Any]) -> str:
    style, script = _asset("page.css"), _asset("page.js")
    return (
        _environment()
        .get_template(template)
        .render(
            **context,
            style=Markup(style),
            script=Markup(script),
            # Only this very style and script may run: escaping is the first wall, this the second.
            policy=f"default-src 'none'; style-src {_digest(style)}; script-src {_digest(script)}; "
            "base-uri 'none'; form-action 'none'",
        )
    )


def _checks(view: Conformance) -> dict[str, Any]:
    listed, left_out = views.chapters(view)
    every = [check for chapter in listed for check in chapter.checks]
    against = any(run.header.against for run in view.runs)
    return {
        "view": view,
        "names": views.labels(view.runs),
        "levels": views.levels(view),
        "chapters": listed,
        "left_out": left_out,
        # Of two servers at once, what differs is listed by cause.
        "failing": sorted(
            (each for each in every if each.worst.bad and not (against and each.differs)), key=views.urgency
        ),
        "known": [check for check in every if check.worst is Outcome.XFAILED],
        "differing": [check for check in every if check.differs],
        "causes": views.causes(check for check in every if check.differs),
        "several": len(view.runs) > 1,
        "caught": sum(miniature.caught for miniature in view.miniatures),
    }


def _loads(runs: Sequence[Run]) -> dict[str, Any]:
    named = list(zip(views.labels(runs), (load(run) for run in runs), strict=True))
    comparisons = [
        (name, compare_loads(runs[0], run)) for name, run in zip(views.labels(runs), runs, strict=True)
    ]
    shared = _present([charts.curve(named), charts.spectrum(named)])
    columns = {name: _columns(_figures(each)) for name, each in named}
    if len(named) == len(shared) == 1:  # alone it would leave half of a wide page empty
        figures = _figures(named[0][1])
        ordered = [*figures[:1], *shared, *figures[1:]]
        columns, shared = {named[0][0]: (ordered[::2], ordered[1::2])}, []
    return {
        "loads": named,
        "shared": shared,
        "columns": columns,
        "comparisons": [
            {"name": name, "against": named[0][0], "all": each, "figure": bars.forest(each.changes)}
            for name, each in comparisons[1:]
        ],
        "several": len(named) > 1,
    }


def _columns(figures: list[Figure]) -> tuple[list[Figure], list[Figure]]:
    return figures[:1], figures[1:]


def _figures(each: Load) -> list[Figure]:
    return _present([charts.timeline(each), bars.split(each), bars.ceiling(each), bars.usage(each.run.usage)])


def _present(figures: Iterable[Figure | None]) -> list[Figure]:
    return [figure for figure in figures if figure is not None]


def _title(checked: Sequence[Run], loaded: Sequence[Run]) -> str:
    if checked and loaded:
        return "TensorFlow Serving conformance and load"
    return "TensorFlow Serving conformance" if checked else "TensorFlow Serving under load"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        units=units,
        words=views.WORDS,
        signs=views.SIGNS,
        level_tone=verdict.level_tone,
        score=verdict.score,
        counted=COUNTED,
        empty=Tally(),
    )
    environment.filters["safe_link"] = _safe_link
    environment.filters["moment"] = _moment
    return environment


def _safe_link(link: str) -> str:
    """The link; empty when it is not one that a page should follow."""
    return link if _SAFE_LINK.match(link) else ""


def _moment(started: str) -> str:
    """``2026-11-22 10:00 UTC`` for an ISO time."""
    return f"{started[:10]} {started[11:16]} UTC"


@cache
def _asset(name: str) -> str:
    return resources.files(__package__).joinpath("templates", name).read_text("utf-8")


def _digest(asset: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(asset.encode()).digest()).decode()}'"
