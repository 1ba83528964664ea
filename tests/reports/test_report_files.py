"""The files: snapshots, the same bytes each time, and hostile records that must stay harmless."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
import samples

from reports import html, junit, machine, markdown, read, views, write_all
from reports.conformance import conformance
from reports.record import Run

SNAPSHOTS = Path(__file__).parent / "snapshots"
EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>]]>&amp;{{7*7}}`|*_[x](javascript:alert(3))"

KINDS = {
    "conformance": samples.conformance(differing=True),
    "load": samples.load(seconds=12),
    "unfinished": samples.conformance()[:40],
}


def run_of(tmp_path: Path, lines: list[samples.Line], name: str = "run.jsonl") -> Run:
    return read(samples.write(tmp_path / name, lines))


def hostile() -> list[samples.Line]:
    """A record with hostile text in every place that takes text, histograms and enumerations apart."""
    spec = {"title": EVIL, "url": "javascript:alert({fact})", "facts": ["1.1", EVIL], "rows": []}
    header = {**samples.conformance()[0], "spec": spec}
    fixed = {
        "kind",
        "run",
        "started",
        "level",
        "outcome",
        "protocol",
        "side",
        "url",
        "response_us",
        "service_us",
    }

    def spoil(value: object, key: str = "") -> object:
        if isinstance(value, dict):
            return {name: spoil(item, name) for name, item in value.items()}
        if isinstance(value, list):
            return [spoil(item, key) for item in value]
        return f"{value}{EVIL}" if isinstance(value, str) and key not in fixed else value

    lines = [header, *samples.conformance(differing=True)[1:30]]
    return [spoil(line) for line in lines]  # type: ignore[misc]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("form", ["md", "xml"])
def test_snapshots(tmp_path: Path, kind: str, form: str) -> None:
    run = run_of(tmp_path, KINDS[kind])
    made = markdown.summary([run]) if form == "md" else junit.junit(run)
    path = SNAPSHOTS / f"{kind}.{form}"
    if os.environ.get("UPDATE_SNAPSHOTS"):
        path.write_text(made, "utf-8")
    assert made == path.read_text("utf-8"), "if the change is meant: UPDATE_SNAPSHOTS=1 pytest tests/reports"


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_record_gives_the_same_bytes(tmp_path: Path, kind: str) -> None:
    written = []
    for folder in ("a", "b"):
        files = write_all(samples.write(tmp_path / folder / "run.jsonl", KINDS[kind]))
        written.append([path.read_bytes() for path in files])
    assert written[0] == written[1]
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == [
        "badge.json",
        "junit.xml",
        "report.html",
        "report.json",
        "run.jsonl",
        "summary.md",
    ]


BADGES = [
    ("conformance", "260/265", "red"),
    ("load", "SLO met", "brightgreen"),
    ("unfinished", "37/38, unfinished", "yellow"),
]


@pytest.mark.parametrize(("kind", "message", "colour"), BADGES)
def test_badges(tmp_path: Path, kind: str, message: str, colour: str) -> None:
    badge = json.loads(machine.badge(run_of(tmp_path, KINDS[kind])))
    assert badge["schemaVersion"] == 1
    assert (badge["message"], badge["color"]) == (message, colour)


def test_the_json_holds_every_outcome_and_every_interval(tmp_path: Path) -> None:
    runs = [run_of(tmp_path, KINDS[kind], f"{kind}.jsonl") for kind in ("conformance", "load")]
    report = json.loads(machine.report(runs))
    assert len(report["conformance"]["checks"]) == 268
    assert report["conformance"]["levels"][0]["MUST"] == {
        "failed": 1,
        "xpassed": 1,
        "xfailed": 1,
        "skipped": 2,
        "passed": 157,
    }
    assert [each["name"] for each in report["load"][0]["endpoints"]] == [
        "all endpoints",
        *sorted(samples.ENDPOINTS),
    ]
    low, high = report["load"][0]["endpoints"][0]["response_us"]["p50"]["interval_95"]
    assert low <= report["load"][0]["endpoints"][0]["response_us"]["p50"]["value"] <= high


class Page(HTMLParser):
    """The elements of a page, checked to be balanced."""

    VOID = frozenset({"meta", "input", "rect", "line", "circle", "polyline", "br", "img"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag in ("p", "li", "dd", "dt", "tr", "td", "th") and self.open[-1] != tag:
            raise AssertionError(f"</{tag}> closes <{self.open[-1]}>")
        assert self.open.pop() == tag, f"</{tag}>"


PAGES = {
    "conformance": [samples.conformance(differing=True)],
    "two targets": [samples.conformance(), samples.conformance(target="docker")],
    "load": [samples.load(seconds=12)],
    "two loads": [samples.load(seconds=12), samples.load(seconds=12, seed=2)],
    "both": [samples.conformance(), samples.load(seconds=12)],
    "unfinished": [samples.conformance()[:1]],
    "empty load": [samples.load()[:1]],
    "hostile": [hostile()],
}


@pytest.mark.parametrize("runs", PAGES.values(), ids=PAGES)
def test_pages_are_whole_and_load_nothing(tmp_path: Path, runs: list[list[samples.Line]]) -> None:
    page = html.report([run_of(tmp_path, lines, f"{number}.jsonl") for number, lines in enumerate(runs)])
    elements = Page(page).elements
    ids = [attributes["id"] for _, attributes in elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    anchors = {attributes["href"] for tag, attributes in elements if tag == "a"}
    assert {anchor[1:] for anchor in anchors if anchor and anchor.startswith("#")} <= set(ids)
    for tag, attributes in elements:
        assert tag not in {"img", "link", "iframe", "object", "embed", "base", "image", "use"}
        assert not {"src", "style", "srcset", "background"} & attributes.keys()
        assert not any(name.startswith("on") for name in attributes)
    assert [tag for tag, _ in elements].count("script") == 1
    assert "url(" not in page.partition("</style>")[0]
    assert page.count("<h1") == 1


def test_the_policy_admits_just_the_pages_own_style_and_script(tmp_path: Path) -> None:
    page = html.report([run_of(tmp_path, samples.conformance())])
    for tag in ("style", "script"):
        inside = page.partition(f"<{tag}>")[2].partition(f"</{tag}>")[0]
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert f"{tag}-src &#39;sha256-{digest}&#39;" in page
    assert "default-src &#39;none&#39;" in page


def test_hostile_text_stays_text(tmp_path: Path) -> None:
    run = run_of(tmp_path, hostile())
    page = html.report([run])
    assert "<script>alert" not in page
    assert "<img" not in page
    assert "javascript:alert" not in "".join(re.findall(r'href="([^"]*)"', page))
    ElementTree.fromstring(junit.junit(run))
    summary = markdown.summary([run])
    outside_code = re.sub(r"(`+).*?\1", "", summary)
    assert "<script" not in re.sub(r"\\<", "", outside_code)
    assert json.loads(machine.report([run]))


def test_junit_counts_what_it_holds(tmp_path: Path) -> None:
    root = ElementTree.fromstring(junit.junit(run_of(tmp_path, KINDS["conformance"])))
    for suites in (root, *root.iter("testsuite")):
        assert int(suites.attrib["tests"]) == len(list(suites.iter("testcase")))
        for attribute, element in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert int(suites.attrib[attribute]) == len(list(suites.iter(element)))
    case = next(case for case in root.iter("testcase") if case.attrib["name"] == "rest/case-8[grpc]")
    properties = {each.attrib["name"]: each.attrib["value"] for each in case.iter("property")}
    assert (properties["level"], properties["fact"], properties["row"]) == ("MUST", "4.6.4", "RES-08")


def test_answers_that_differ_are_shown_side_by_side_with_the_difference_marked(tmp_path: Path) -> None:
    lines = [
        samples.conformance()[0],
        samples.check(
            exchanges=[
                samples.rest_exchange("target", 200, '{"predictions": [4.5]}'),
                samples.rest_exchange("against", 200, '{"predictions": [4.50001]}'),
            ],
            diff={"equal": False, "cause": "digits", "paths": ["$.predictions[0]"]},
        ),
    ]
    view = conformance([run_of(tmp_path, lines)])
    (turn,) = views.check_view(view.rows[0], ["ours"]).turns
    assert turn.request.startswith(
        "POST /v1/models/half_plus_three:predict\nContent-Type: application/json\n\n{"
    )
    assert [side.label for side in turn.sides] == ["ours", "against"]
    marked = [[piece.text for piece in side.response if piece.differs] for side in turn.sides]
    assert marked == [["22", "5"], ["26", "50001"]]


def test_grpc_messages_are_shown_as_text(tmp_path: Path) -> None:
    message = {"body_b64": "CgMKAW0=", "text": 'model_spec {\n  name: "m"\n}\n'}
    call = {"protocol": "grpc", "request": {"method": "/s/M", **message}, "response": {"code": "OK"}}
    (check,) = run_of(tmp_path, [samples.conformance()[0], samples.check(exchanges=[call])]).checks
    assert check.exchanges[0].request == '/s/M\n\nmodel_spec {\n  name: "m"\n}\n'


def test_a_fact_links_to_the_nearest_source_above_it(tmp_path: Path) -> None:
    spec = {
        "facts": ["4.6.2", "5.1"],
        "titles": {"4.6.2": "Unknown models"},
        "sources": {
            "4": "https://example.org/all",
            "4.6": "https://example.org/predict",
            "5": "javascript:x",
        },
    }
    lines = [samples.conformance()[0] | {"spec": spec}, samples.check(facts=["4.6.2", "4.60", "5.1", "6.1"])]
    run = run_of(tmp_path, lines)
    assert [run.header.spec.link(fact) for fact in ("4.6.2", "4.60", "6.1")] == [
        "https://example.org/predict",
        "https://example.org/all",
        "",
    ]
    page = html.report([run])
    assert '<a href="https://example.org/predict" rel="noreferrer">4.6.2</a> Unknown models' in page
    assert "<code>5.1</code>" in page
    assert "javascript:x" not in page


def test_differences_are_grouped_by_cause_the_one_of_most_checks_first(tmp_path: Path) -> None:
    causes = {"a": "digits", "b": "status", "c": "status"}
    made = [
        samples.check(
            f"rest/{name}", outcome="failed", recipe=f"show {name}", diff={"equal": False, "cause": cause}
        )
        for name, cause in causes.items()
    ]
    view = conformance([run_of(tmp_path, [samples.conformance()[0], *made])])
    found = views.causes(views.check_view(row, ["ours"]) for row in view.rows)
    assert [(cause.words, len(cause.checks), cause.recipe) for cause in found] == [
        ("status", 2, "show b"),
        ("digits", 1, "show a"),
    ]


def test_a_page_of_many_checks_lists_what_needs_attention_and_says_what_it_leaves_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "MAX_ROWS", 10)
    made = [samples.check(f"rest/case-{number}") for number in range(40)]
    made[35]["outcome"] = "failed"
    page = html.report([run_of(tmp_path, [samples.conformance()[0], *made])])
    assert page.count('class="check"') == 10
    assert "rest/case-35" in page
    assert "30 passed or skipped checks are not listed for size" in page


def test_a_record_of_100_mb_becomes_a_page_of_bounded_size(tmp_path: Path) -> None:
    body = json.dumps({"instances": [[0.125] * 64] * 60})
    exchange = samples.rest_exchange("target", 200, body, body)
    made = samples.check("rest/case-0000", exchanges=[exchange] * 4)
    line = json.dumps(made)
    with (path := tmp_path / "run.jsonl").open("w", encoding="utf-8") as file:
        file.write(samples.text([samples.conformance()[0]]))
        for number in range(100_000_000 // len(line)):
            file.write(line.replace("case-0000", f"case-{number:04}") + "\n")
    run = read(path)
    assert len(run.checks) == 100_000_000 // len(line)
    page = html.report([run])
    assert len(page) < 20_000_000
    assert "are left out for size" in page


def test_charts_have_numbers_for_those_who_cannot_see_them(tmp_path: Path) -> None:
    page = html.report([run_of(tmp_path, samples.load(seconds=12))])
    for title in ("Throughput and latency", "Percentile spectrum", "Over time", "Where the time went"):
        assert f'aria-label="{title} as a table"' in page
    assert "NaN" not in page
    assert 'aria-label="Percentile spectrum; the numbers follow as a table"' in page
