"""The behaviour catalogue: ids and titles of what is known of TensorFlow Serving, from ``catalogue.toml``."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Titles of facts (``4.6.2``), matrix rows (``HTTP-16``) and sections (``4``), by id.

    ``source`` is an address, and ``sources`` the files below it that facts come from, by number or by the
    number above them. ``unchecked`` says of some ids why they have no check: a key of ``reasons``, whose
    values are sentences.
    """

    facts: Mapping[str, str]
    rows: Mapping[str, str]
    sections: Mapping[str, str]
    source: str
    sources: Mapping[str, str]
    reasons: Mapping[str, str]
    unchecked: Mapping[str, str]

    def title(self, known: str) -> str:
        """The title of a fact or row."""
        return self.facts.get(known) or self.rows[known]

    def knows(self, cited: str) -> bool:
        """Tell whether ``cited`` is a fact, a row, or the number above some facts (``5.3``)."""
        within = (fact for fact in self.facts if fact.startswith(f"{cited}."))
        return cited in self.facts or cited in self.rows or next(within, None) is not None

    def header(self) -> dict[str, Any]:
        """What the header of a record says of it, so that reports can tell coverage."""
        return {
            "title": "TensorFlow Serving 2.20",
            "url": None,
            "facts": list(self.facts),
            "rows": list(self.rows),
            "titles": {**self.sections, **self.facts, **self.rows},
            "sources": {above: f"{self.source}{file}" for above, file in self.sources.items()},
        }


def load() -> Catalogue:
    """The catalogue in the package."""
    return Catalogue(**tomllib.loads((resources.files("harness") / "catalogue.toml").read_text("utf-8")))
