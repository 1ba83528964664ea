"""Ways to spoil bytes that were right."""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st


def campaign(examples: int) -> settings:
    """So many examples, the same in every run; whoever asks sees to the time that an answer takes."""
    return settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )


_ODD = (
    b"\0",
    b"\xff",
    b"\r\n",
    b"\r\n\r\n",
    b"\n",
    b" ",
    b":",
    b"0",
    b"-1",
    b"99999999999999999999",
    b"a" * 9000,
)


@st.composite
def spoiled(draw: st.DrawFn, originals: tuple[bytes, ...]) -> bytes:
    """One of ``originals`` after one to four edits: bytes replaced, removed, doubled, put in, or cut off."""
    data = draw(st.sampled_from(originals))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        stop = min(len(data), start + draw(st.integers(0, 12)))
        kind = draw(st.sampled_from(("replace", "remove", "double", "insert", "cut")))
        if kind == "replace":
            size = stop - start
            data = data[:start] + draw(st.binary(min_size=size, max_size=size)) + data[stop:]
        elif kind == "remove":
            data = data[:start] + data[stop:]
        elif kind == "double":
            data = data[:stop] + data[start:]
        elif kind == "insert":
            data = data[:start] + draw(st.sampled_from(_ODD)) + data[start:]
        else:
            data = data[:start]
    return data
