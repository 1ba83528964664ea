"""Service level objectives: ``p99<20ms, errors<0.1%``, read, judged, and put into words."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.loadgen import histograms
from harness.loadgen.tally import Tally

_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0}
_SHARES = {"errors": "errors", "wrong": "wrong replies"}
_RATES = {"throughput": "throughput", "goodput": "correct goodput"}

_TERM = re.compile(
    r"(?:(?P<scope>.+?)\s+)?(?P<metric>p\d+(?:\.\d+)?|mean|max|gap|errors|wrong|throughput|goodput)"
    r"\s*(?P<sign><=|>=|<|>)\s*(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>us|ms|s|%|/s)?"
)
_FORM = (
    "write terms such as p99<20ms, p99.9<=0.1s, mean<5ms, errors<0.1%, wrong<=0%, gap<500ms, "
    "throughput>900/s, each with the name of a model before it if it is about that model alone"
)


@dataclass(frozen=True, slots=True)
class Term:
    """One objective. ``bound`` is in seconds, a share of 1, or per second, by ``metric``."""

    scope: str
    metric: str
    sign: str
    bound: float
    text: str

    @property
    def percentile(self) -> float | None:
        """The percentile that is bounded, if one is."""
        return float(self.metric[1:]) if self.metric[0] == "p" else None

    def holds(self, value: float) -> bool:
        """Tell whether ``value`` keeps to the bound."""
        if self.sign == "<":
            return value < self.bound
        if self.sign == "<=":
            return value <= self.bound
        return value > self.bound if self.sign == ">" else value >= self.bound


@dataclass(frozen=True, slots=True)
class Judgement:
    """How one objective came out. ``value`` is None where nothing was measured, which never passes."""

    term: Term
    value: float | None
    ok: bool

    @property
    def text(self) -> str:
        """``p99 12.3 ms, wanted < 20 ms``."""
        scope = f"{self.term.scope} " if self.term.scope else ""
        shown = "not measured" if self.value is None else _show(self.term.metric, self.value)
        return (
            f"{scope}{self.term.metric} {shown}, "
            f"wanted {self.term.sign} {_show(self.term.metric, self.term.bound)}"
        )


def _show(metric: str, value: float) -> str:
    if metric in _SHARES:
        return f"{value * 100:.4g} %"
    if metric in _RATES:
        return f"{value:,.4g}/s"
    return f"{value * 1e3:.4g} ms"


@dataclass(frozen=True, slots=True)
class Slo:
    """All objectives of a run."""

    terms: tuple[Term, ...] = ()

    @property
    def latency(self) -> Term | None:
        """The tightest upper bound on a latency: what goodput and peak search go by."""
        bounded = [term for term in self.terms if term.percentile is not None and not term.scope]
        return min(bounded, key=lambda term: term.bound, default=None)

    @property
    def judges_errors(self) -> bool:
        """Whether the objectives themselves say how many failed requests are acceptable."""
        return any(term.metric == "errors" for term in self.terms)

    def check_scopes(self, endpoints: Sequence[str]) -> None:
        """Raise ValueError if a term is about something that the traffic does not contain."""
        for term in self.terms:
            if not any(_about(term, endpoint) for endpoint in endpoints):
                raise ValueError(
                    f"SLO {term.text!r}: the traffic has no {term.scope!r}; it has " + ", ".join(endpoints)
                )

    def judge(self, tallies: Mapping[str, Tally], seconds: float, gap: float | None) -> list[Judgement]:
        """Judge ``seconds`` of load.

        ``tallies`` are by endpoint, ``gap`` is the longest time without a right answer, if that is known.
        """
        judged = []
        for term in self.terms:
            tally = Tally.sum(tally for endpoint, tally in tallies.items() if _about(term, endpoint))
            value = gap if term.metric == "gap" else _measured(term, tally, seconds)
            judged.append(Judgement(term, value, value is not None and term.holds(value)))
        return judged


def _about(term: Term, endpoint: str) -> bool:
    """Tell whether the term is about an endpoint (``rest predict m``): all its words must occur there."""
    return set(term.scope.split()) <= set(endpoint.split())


def _measured(term: Term, tally: Tally, seconds: float) -> float | None:
    if not tally.asked:
        return None
    match term.metric:
        case "errors":
            return tally.bad / tally.asked
        case "wrong":
            return tally.wrong / tally.asked
        case "throughput":
            return tally.done / seconds
        case "goodput":
            return tally.good / seconds
        case "mean":
            return float(tally.response.get_mean_value()) / 1e6
        case "max":
            return float(tally.response.get_max_value()) / 1e6
    return histograms.percentile(tally.response, term.percentile or 0.0) / 1e6


def over(term: Term, tally: Tally) -> int:
    """How many requests broke a latency bound, or were not answered rightly at all."""
    slow = histograms.count_above(tally.response, term.bound * 1e6)
    # A request that failed fast is in the histogram below the bound: it counts once, as bad.
    return max(slow, tally.asked - tally.good)


def parse(text: str) -> Slo:
    """Read objectives separated by commas. Raises ValueError with a sentence for users."""
    terms = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        match = _TERM.fullmatch(part)
        if match is None:
            raise ValueError(f"SLO {part!r} does not parse: {_FORM}")
        terms.append(_term(part, match))
    return Slo(tuple(terms))


def _term(part: str, match: re.Match[str]) -> Term:
    metric, unit, number = match["metric"], match["unit"], float(match["number"])
    wanted: tuple[str, ...]
    if metric in _SHARES:
        wanted, factor = ("%",), 0.01 if unit == "%" else 1.0
    elif metric in _RATES:
        wanted, factor = ("/s",), 1.0
    else:
        wanted, factor = tuple(_UNITS), _UNITS.get(unit or "", 0.0)
    optional = metric in _SHARES or metric in _RATES
    if unit not in wanted and not (unit is None and optional):
        raise ValueError(f"SLO {part!r}: {metric} needs a bound in {' or '.join(wanted)}")
    if metric[0] == "p" and not 0 < float(metric[1:]) < 100:
        raise ValueError(f"SLO {part!r}: a percentile lies between 0 and 100")
    upper = match["sign"][0] == "<"
    if upper is (metric in _RATES):
        raise ValueError(f"SLO {part!r}: {metric} is bounded from {'below' if upper else 'above'}")
    return Term(match["scope"] or "", metric, match["sign"], number * factor, part)
