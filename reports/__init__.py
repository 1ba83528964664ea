"""Reports on runs: pure functions over the records that the harness and the load generator write.

Layers, lower ones know nothing of higher ones::

    schema                             the published format of a record
    record, windows, histogram         what a record holds
    reading, assembly, transcript      from a file to a run
    proportion, bootstrap              what figures are worth
    conformance, load, comparison,
    trend, verdict                     what runs say
    svg, charts, bars, views, units    how it is shown
    html, markdown, junit, machine     pages and files
    writing, merging, __main__         what is called: ``write_all`` and ``python -m reports``
"""

from __future__ import annotations

from reports.reading import RecordError, read
from reports.writing import Written, write_all

__all__ = ["RecordError", "Written", "read", "write_all"]
