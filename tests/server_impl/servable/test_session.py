from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from harness.wire import messages as wire
from server_impl.errors import Code, ServingError
from server_impl.servable.capi import tensors
from server_impl.servable.session import BRIEF_BYTES, _Pace
from server_impl.tensor import Tensor

X = "serving_default_x:0"
Y = ("StatefulPartitionedCall:0",)


def floats(*values: float) -> Tensor:
    return Tensor(wire.DT_FLOAT, np.array(values, np.float32))


def names(loaded, signature: str) -> tuple[str, tuple[str]]:
    found = loaded.signatures[signature]
    (fed,) = found.inputs.values()
    (fetched,) = found.outputs.values()
    return fed.name, (fetched.name,)


def run_until_brief(session, feeds, fetches) -> bool:
    """Whether the session finds, within a second, that such runs are brief."""
    give_up = time.monotonic() + 1
    while session.begin(feeds, fetches) is None and time.monotonic() < give_up:
        session.run(feeds, fetches)
    return session.begin(feeds, fetches) is not None


def test_results_are_right_before_and_after_a_run_is_known_to_be_brief(load):
    session = load("half_plus_two").session
    assert session.begin({X: floats(1, 2, 3)}, Y) is None
    for _ in range(100):
        (result,) = session.run({X: floats(1, 2, 3)}, Y)
        assert result.array.tolist() == [2.5, 3.0, 3.5]
    assert run_until_brief(session, {X: floats(1)}, Y)


def test_steps_of_brief_runs_may_be_mixed(load):
    session = load("half_plus_two").session
    run_until_brief(session, {X: floats(1)}, Y)
    begun = [session.begin({X: floats(*range(number))}, Y) for number in range(5)]
    for run in begun:
        run.run()
    for number, run in reversed([*enumerate(begun)]):
        (result,) = run.outputs()
        assert result.array.tolist() == [x / 2 + 2 for x in range(number)]
        assert 0 < run.seconds < 1


def test_memory_that_a_model_holds_on_to_is_not_filled_anew(load):
    session = load("previous").session
    fetches = ("StatefulPartitionedCall:0",)
    given = [floats(number, number, number) for number in range(1, 40)]
    answers = [session.run({X: tensor}, fetches)[0].array.tolist() for tensor in given]
    assert answers == [[number] * 3 for number in range(39)]


def test_error_of_a_brief_run_comes_with_its_outputs(load):
    session = load("half_plus_two").session
    run_until_brief(session, {X: floats(1)}, Y)
    begun = session.begin({X: Tensor(wire.DT_INT32, np.array([1], np.int32))}, Y)
    begun.run()
    with pytest.raises(ServingError, match="float"):
        begun.outputs()
    assert session.run({X: floats(1)}, Y)[0].array.tolist() == [2.5]


@pytest.fixture
def patient(monkeypatch):
    """Every run counts as brief, however busy the machine is."""
    monkeypatch.setattr("server_impl.servable.session.BRIEF_SECONDS", 60)


@pytest.mark.usefixtures("patient")
def test_brief_runs_that_nobody_goes_on_with_free_their_memory(load):
    session = load("half_plus_two").session
    values = np.zeros(BRIEF_BYTES // 4, np.float32)
    # Only from an aligned address TensorFlow uses the memory itself, which can be seen from outside.
    values = values[-values.ctypes.data % 64 // 4 :][: BRIEF_BYTES // 4 - 16]
    feeds = {X: Tensor(wire.DT_FLOAT, values)}
    assert run_until_brief(session, feeds, Y)
    held = len(tensors._lent)
    for steps in (1, 2) * 10:
        run = session.begin(feeds, Y)
        assert len(tensors._lent) == held + 1
        if steps == 2:
            run.run()
        del run
        assert len(tensors._lent) == held


@pytest.mark.usefixtures("patient")
def test_inputs_of_another_size_are_judged_for_themselves(load):
    session = load("half_plus_two").session
    small, large = (Tensor(wire.DT_FLOAT, np.zeros(size, np.float32)) for size in (1, BRIEF_BYTES // 4 - 1))
    assert run_until_brief(session, {X: small}, Y)
    assert session.begin({X: large}, Y) is None
    assert run_until_brief(session, {X: large}, Y)


@pytest.mark.usefixtures("patient")
def test_no_run_with_large_inputs_is_brief(load):
    session = load("half_plus_two").session
    big = np.arange(BRIEF_BYTES // 4, dtype=np.float32)
    for _ in range(50):
        assert_array_equal(session.run({X: Tensor(wire.DT_FLOAT, big)}, Y)[0].array, big / 2 + 2)
    assert session.begin({X: Tensor(wire.DT_FLOAT, big)}, Y) is None


LONG, TOO_LONG = 1e-3, 3e-3


@pytest.mark.parametrize(
    ("timed", "brief", "may_be_brief"),
    [
        ([LONG] * 2, True, True),
        ([LONG, LONG, 0, LONG, LONG], True, True),
        ([LONG] * 3, False, True),
        ([TOO_LONG, LONG, TOO_LONG], False, True),
        ([TOO_LONG] * 3, False, False),
    ],
)
def test_only_runs_that_are_long_again_and_again_change_the_pace(timed, brief, may_be_brief):
    pace = _Pace(may_be_brief=True)
    pace.took_on_pool(0)
    for seconds in timed:
        pace.took_on_calling_thread(seconds)
    assert (pace.brief, pace.may_be_brief) == (brief, may_be_brief)


def test_what_may_wait_is_never_brief(load):
    loaded = load("busy")
    fed, fetches = names(loaded, "wait")
    for _ in range(50):
        loaded.session.run({fed: floats(0)}, fetches)
    assert loaded.session.begin({fed: floats(0)}, fetches) is None


def test_a_loop_in_one_signature_does_not_slow_another(load):
    loaded = load("busy")
    fed, fetches = names(loaded, "quick")
    assert run_until_brief(loaded.session, {fed: floats(1)}, fetches)


def test_time_out_ends_the_run(load):
    loaded = load("busy")
    fed, fetches = names(loaded, "wait")
    loaded.session.run({fed: floats(0)}, fetches)
    start = time.monotonic()
    with pytest.raises(ServingError) as caught:
        loaded.session.run({fed: floats(60_000)}, fetches, timeout_ms=50)
    assert time.monotonic() - start < 30
    assert caught.value.code is Code.DEADLINE_EXCEEDED
    assert caught.value.message == "Timed out waiting for notification"


@pytest.mark.parametrize("timeout_ms", [None, 0, 60_000])
def test_runs_within_their_time(load, timeout_ms):
    loaded = load("busy")
    fed, fetches = names(loaded, "wait")
    assert loaded.session.run({fed: floats(5)}, fetches, timeout_ms=timeout_ms)[0].array.tolist() == [5]


@pytest.mark.parametrize(
    ("feeds", "fetches", "code", "text"),
    [
        ({X: floats(1)}, ["NoOp"], Code.OUT_OF_RANGE,
         "Node 'NoOp' (type: 'NoOp', num of outputs: 0) does not have output 0"),
        ({X: floats(1)}, ["nowhere:0"], Code.INVALID_ARGUMENT,
         "Tensor nowhere:0, specified in either feed_devices or fetch_devices was not found in the Graph"),
        ({"nowhere:0": floats(1)}, [*Y], Code.INVALID_ARGUMENT,
         "Tensor nowhere:0, specified in either feed_devices or fetch_devices was not found in the Graph"),
        ({X: floats(1)}, [X], Code.INVALID_ARGUMENT, f"{X} is both fed and fetched."),
        ({X: floats(1)}, [], Code.INVALID_ARGUMENT, "Must specify at least one target to fetch or execute."),
    ],
)  # fmt: skip
def test_wrong_names(load, feeds, fetches, code, text):
    session = load("half_plus_two").session
    for _ in range(2):
        with pytest.raises(ServingError) as caught:
            session.run(feeds, fetches)
        assert (caught.value.code, caught.value.message) == (code, text)


@pytest.mark.parametrize(
    ("signature", "code", "text"),
    [
        ("missing", Code.INVALID_ARGUMENT,
         "Tensor nowhere:0, specified in either feed_devices or fetch_devices was not found in the Graph"),
        ("index", Code.OUT_OF_RANGE, "Node 'z' (type: 'AddV2', num of outputs: 1) does not have output 7"),
        ("resource", Code.UNIMPLEMENTED, "Tensor handle:0 is of type resource, which is not served"),
    ],
)  # fmt: skip
def test_signatures_that_cannot_be_run(load, signature, code, text):
    loaded = load("odd")
    fed, fetches = names(loaded, signature)
    with pytest.raises(ServingError) as caught:
        loaded.session.run({fed: floats(1)}, fetches)
    assert (caught.value.code, caught.value.message) == (code, text)


@pytest.mark.parametrize("inline", [False, True])
def test_arithmetic_flushes_denormals_on_whatever_thread(load, inline):
    session = load("half").session
    if inline:
        assert run_until_brief(session, {X: floats(1)}, Y)
    denormals = np.array([1, 0x000AE398, 0x007FFFFF], np.uint32).view(np.float32)
    (result,) = session.run({X: Tensor(wire.DT_FLOAT, denormals)}, Y)
    assert result.array.view(np.uint32).tolist() == [0, 0, 0]


def test_flushing_does_not_outlive_a_run(load):
    session = load("half_plus_two").session
    run_until_brief(session, {X: floats(1)}, Y)
    session.run({X: floats(1)}, Y)
    tiny = np.finfo(np.float64).tiny
    assert tiny / 2 > 0


def test_threads_do_not_mix_up_their_results(load):
    session = load("half_plus_two").session

    def work(number: int) -> bool:
        values = np.arange(number, number + 3, dtype=np.float32)
        return all(
            (session.run({X: Tensor(wire.DT_FLOAT, values)}, Y)[0].array == values / 2 + 2).all()
            for _ in range(200)
        )

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(8)))
