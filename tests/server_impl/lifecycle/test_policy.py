from __future__ import annotations

import pytest
from google.protobuf import text_format
from hypothesis import given
from hypothesis import strategies as st

from harness.wire import messages as wire
from server_impl.lifecycle.policy import (
    All,
    Candidate,
    Latest,
    Specific,
    VersionPolicy,
    choose,
    parse_version,
    version_policy,
)


@pytest.mark.parametrize(
    ("folder", "version"),
    [
        ("1", 1),
        ("0", 0),
        ("007", 7),
        ("00000123", 123),
        ("+7", 7),
        ("-7", -7),
        (" 7", 7),
        ("\t7\n", 7),
        ("\v7\f\r ", 7),
        ("9223372036854775807", 2**63 - 1),
        ("-9223372036854775808", -(2**63)),
        ("9223372036854775808", None),
        ("-9223372036854775809", None),
        ("1.0", None),
        ("v1", None),
        ("1_bak", None),
        ("1_000", None),
        ("0x10", None),
        ("1e3", None),
        ("", None),
        (" ", None),
        ("+", None),
        ("- 7", None),
        ("--7", None),
        ("7 7", None),
        ("\N{NO-BREAK SPACE}7", None),
        ("\N{ARABIC-INDIC DIGIT SEVEN}", None),
    ],
)
def test_version_numbers(folder: str, version: int | None) -> None:
    assert parse_version(folder) == version


@given(st.integers(-(2**63), 2**63 - 1), st.sampled_from(["", " ", "\t\n"]), st.integers(0, 5))
def test_every_int64_can_be_written_in_many_ways(number: int, blank: str, zeros: int) -> None:
    sign = "-" if number < 0 else "+"
    assert parse_version(f"{blank}{sign}{'0' * zeros}{abs(number)}{blank}") == number


@pytest.mark.parametrize(
    ("text", "policy"),
    [
        ("", Latest(0)),
        ("latest {}", Latest(0)),
        ("latest { num_versions: 3 }", Latest(3)),
        ("all {}", All()),
        ("specific {}", Specific(())),
        ("specific { versions: 5 versions: 2 }", Specific((5, 2))),
    ],
)
def test_policy_of_a_config(text: str, policy: VersionPolicy) -> None:
    message = wire.FileSystemStoragePathSourceConfig.ServableVersionPolicy()
    assert version_policy(text_format.Parse(text, message)) == policy


@pytest.mark.parametrize(
    ("policy", "names", "folders"),
    [
        (Latest(), ["1", "2", "10", "9", "v11", "tmp"], ["10"]),
        (Latest(0), ["1", "2"], ["2"]),
        (Latest(2), ["1", "2", "3"], ["3", "2"]),
        (Latest(5), ["1", "2", "3"], ["3", "2", "1"]),
        (Latest(), ["-1", "-7"], ["-1"]),
        (Latest(), ["1", "01"], ["1"]),
        (Latest(), ["1", "+1"], ["1"]),
        (All(), ["10", "9", "x"], ["10", "9"]),
        (All(), ["1", "01"], ["01", "1"]),
        (Specific((2,)), ["1", "2", "02"], ["2"]),
        (Specific((2,)), ["1", "02", "002"], ["02"]),
        (Specific((3, 1)), ["1", "2", "3"], ["3", "1"]),
        (Specific((3, 1, 9)), ["1", "2", "3"], ["1", "3"]),
        (Specific((2, 2)), ["2"], ["2", "2"]),
    ],
)
def test_choices(policy: VersionPolicy, names: list[str], folders: list[str]) -> None:
    choice = choose("m", policy, names)
    assert [candidate.folder for candidate in choice.candidates] == folders
    assert [candidate.version for candidate in choice.candidates] == [int(folder) for folder in folders]
    assert choice.found


TWINS = "Duplicate version directories detected. Version 1 will be loaded from 1, 01 will be ignored."


def missing(version: int) -> str:
    return (
        f"Version {version} of servable m, which was requested to be served as a 'specific' "
        "version in the servable's version policy, was not found in the file system"
    )


@pytest.mark.parametrize(
    ("policy", "names", "warnings", "found"),
    [
        (Latest(), ["x"], [], False),
        (All(), [], [], False),
        (Latest(), ["1", "01"], [TWINS], True),
        (All(), ["1", "01"], [TWINS], True),
        (Specific((1,)), ["1", "01"], [], True),
        (Specific(()), ["1"], ["No specific versions requested for servable m."], True),
        (Specific((1, 9)), ["1"], [missing(9)], True),
        (Specific((9, 8, 9)), ["1"], [missing(9), missing(8)], False),
    ],
)
def test_warnings(policy: VersionPolicy, names: list[str], warnings: list[str], found: bool) -> None:
    choice = choose("m", policy, names)
    assert list(choice.warnings) == warnings
    assert choice.found == found


@given(st.lists(st.integers(-3, 12), unique=True), st.integers(1, 4))
def test_latest_takes_the_highest(versions: list[int], count: int) -> None:
    chosen = choose("m", Latest(count), list(map(str, versions))).candidates
    assert list(chosen) == [Candidate(v, str(v)) for v in sorted(versions, reverse=True)[:count]]
