import numpy as np
import pytest

from harness.loadgen.checking import UNKNOWN, Check, Expected, WrongReply, differs
from harness.terms import Protocol
from harness.wire import messages as wire
from harness.wire import tensors

ONE, TWO = {"y": np.array([2.5, 3.0], np.float32)}, {"y": np.array([4.5, 5.0], np.float32)}


def message(outputs, version):
    reply = wire.PredictResponse()
    reply.model_spec.version.value = version
    for alias, array in outputs.items():
        reply.outputs[alias].CopyFrom(tensors.to_proto(array))
    return reply.SerializeToString()


def rest(expected):
    return Check(Protocol.REST, expected)


def grpc(expected):
    return Check(Protocol.GRPC, expected)


BOTH = Expected({1: [ONE], 2: [TWO]}, 1e-6)


def test_rest_replies_tell_the_version_by_their_numbers():
    check = rest(BOTH)
    assert check(b'{"predictions": [2.5, 3.0]}') == "1"
    assert check(b'{"predictions":[4.5,5.0]}') == "2"
    assert check(b'{"outputs":[4.5,5.0]}') == "2"


def test_grpc_replies_must_be_right_for_the_version_they_name():
    check = grpc(BOTH)
    assert check(message(TWO, 2)) == "2"
    with pytest.raises(WrongReply, match="not the answer of version 1"):
        check(message(TWO, 1))
    with pytest.raises(WrongReply, match="version 3 answered, where only version 1, 2 may"):
        check(message(TWO, 3))


def test_a_version_may_have_had_different_contents():
    check = grpc(Expected({1: [ONE, TWO]}, 1e-6))
    assert check(message(ONE, 1)) == check(message(TWO, 1)) == "1"


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (b"<html>", "not JSON"),
        (b'{"error": "x"}', "neither 'predictions' nor 'outputs'"),
        (b'{"predictions": [2.5, 3.1]}', r"is \[2.5, 3.1\], not"),
        (b'{"predictions": [2.5]}', "has shape"),
        (b'{"predictions": ["a", "b"]}', "is "),
        (b'{"predictions": [{"z": 1}, {"z": 2}]}', "outputs"),
    ],
)
def test_a_wrong_reply_is_wrong_every_time(reply, reason):
    check = rest(BOTH)
    for _ in range(2):
        with pytest.raises(WrongReply, match=reason):
            check(reply)


def test_without_an_oracle_the_first_reply_is_the_measure():
    learns = Expected({}, 1e-5, learns=True)
    check = grpc(learns)
    assert check(message(ONE, 1)) == "1"
    assert check(message(TWO, 2)) == "2"
    with pytest.raises(WrongReply):
        check(message(TWO, 1))
    check = rest(learns)
    assert check(b'{"predictions": [2.5, 3.0]}') == UNKNOWN
    assert check(b'{"predictions": [2.5000001, 3.0]}') == UNKNOWN
    with pytest.raises(WrongReply):
        check(b'{"predictions": [4.5, 5.0]}')


def test_what_is_no_prediction_is_compared_byte_for_byte():
    check = rest(Expected({}, 0.0, exact=True))
    assert check(b'{"results": []}') == check(b'{"results": []}') == UNKNOWN
    with pytest.raises(WrongReply, match="instead of"):
        check(b'{"results": [1]}')


def test_answers_given_without_a_version_are_right_from_any():
    check = grpc(Expected({None: [ONE]}, 1e-6))
    assert check(message(ONE, 7)) == "7"
    with pytest.raises(WrongReply):
        check(message(TWO, 7))


def test_expectations_survive_the_journey():
    strings = {"s": np.array([b"a", b"\xff"], object), "n": np.array([1], np.int64)}
    sent = Expected({2: [strings], None: [ONE]}, 1e-3, learns=True)
    got = Expected.from_message(sent.to_message())
    assert (got.tolerance, got.learns, got.exact) == (1e-3, True, False)
    assert differs(got.by_version[2][0], strings, 0) is None
    assert differs(got.by_version[None][0], ONE, 0) is None


@pytest.mark.parametrize(
    ("got", "wanted", "same"),
    [
        (np.array([1.0, 2.0]), np.array([1.0, 2.0 + 1e-7], np.float32), True),
        (np.array([1.0, np.nan]), np.array([1.0, np.nan], np.float32), True),
        (np.array([1, 2]), np.array([1.0, 2.0], np.float32), True),
        (np.array([1.0]), np.array([1], np.int64), True),
        (np.array([2**53 + 1]), np.array([2**53], np.int64), False),
        (np.array([True]), np.array([1.0], np.float32), False),
        (np.array([np.inf]), np.array([1.0], np.float32), False),
    ],
)
def test_numbers_agree_within_the_tolerance_of_floats_and_exactly_otherwise(got, wanted, same):
    assert (differs({"y": got}, {"y": wanted}, 1e-6) is None) is same
