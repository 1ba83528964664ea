"""A tab in Locust's web UI: which version answers which model, and what the steps do to the traffic."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from flask import request

from harness.loadgen.run import Run

_VERSIONS, _SWAPS = "load-versions", "load-swaps"

_TABS = {
    "extended_tabs": [{"title": "Versions", "key": _VERSIONS}, {"title": "Swaps", "key": _SWAPS}],
    "extended_tables": [
        {
            "key": _VERSIONS,
            "structure": [
                {"key": "model", "title": "Model"},
                {"key": "version", "title": "Version that answered"},
                {"key": "answers", "title": "# Right answers"},
                {"key": "last", "title": "Last answer (s)"},
            ],
        },
        {
            "key": _SWAPS,
            "structure": [
                {"key": "t", "title": "Time (s)"},
                {"key": "what", "title": "Change"},
                {"key": "bad", "title": "# Without the right answer since"},
            ],
        },
    ],
}


def extend(web_ui: Any, run: Callable[[], Run | None]) -> None:
    """Add the tabs to the web UI; ``run`` gives the run that goes on, if one does."""
    web_ui.template_args.update(_TABS)
    last: dict[str, Any] = {}

    @web_ui.app.after_request  # type: ignore[untyped-decorator]
    def add(response: Any) -> Any:
        if not request.path.endswith("/stats/requests"):
            return response
        going = run()
        if going is not None and going.results:
            last["stats"] = [
                {"key": _VERSIONS, "data": versions(going)},
                {"key": _SWAPS, "data": swaps(going)},
            ]
        response.set_data(json.dumps({**response.json, "extended_stats": last.get("stats", [])}))
        return response


def versions(run: Run) -> list[dict[str, Any]]:
    """Right answers by model and version so far."""
    results = run.results[-1]
    found: dict[tuple[str, str], list[float]] = {}
    for window in results.windows():
        for version, answers in window.tally.versions.items():
            entry = found.setdefault((window.endpoint.model, version), [0, 0])
            entry[0] += answers
            entry[1] = (window.number + 1) * results.window
    return [
        {"model": model, "version": version, "answers": answers, "last": last}
        for (model, version), (answers, last) in sorted(found.items())
    ]


def swaps(run: Run) -> list[dict[str, Any]]:
    """The changes so far, and the requests since each that did not get the right answer."""
    return [
        {
            "t": round(change.t, 2),
            "what": change.detail,
            "bad": run.results[-1].total(change.t - change.t % run.results[-1].window).bad,
        }
        for change in run.changes
    ]
