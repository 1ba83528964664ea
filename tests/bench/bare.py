"""What the model alone costs: runs of its session in this process, without any server.

Run as ``python -m tests.bench.bare PATH TENSOR ROWS COLUMNS``; prints microseconds of processor time of a run
as TensorFlow makes it by default, on its threads, and of one on the calling thread.
"""

from __future__ import annotations

import sys
import time

import numpy as np

from harness.wire import messages as wire
from server_impl.servable import saved_model
from server_impl.servable.capi import RunOptions, load_session
from server_impl.tensor import Tensor

_RUNS = 1000


def session_run_us(path: str, alias: str, rows: int, columns: int) -> tuple[float, float]:
    """Processor time of one run of the default signature with random floats, in microseconds: both ways."""
    signature = saved_model.load(path).signatures["serving_default"]
    loaded, _ = load_session(path, ["serve"], wire.ConfigProto())
    fetches = [_endpoint(spec.name) for spec in signature.outputs.values()]
    run = loaded.prepare([_endpoint(signature.inputs[alias].name)], fetches)
    tensor = Tensor(wire.DT_FLOAT, np.random.default_rng(0).random((rows, columns), np.float32))

    def measure(options: RunOptions | None) -> float:
        for timed in (False, True):
            start = time.process_time()
            for _ in range(_RUNS if timed else _RUNS // 10):
                frame = run.begin([tensor], options)
                frame.run()
                run.results(frame)
        return (time.process_time() - start) / _RUNS * 1e6

    return measure(None), measure(RunOptions(wire.RunOptions(inter_op_thread_pool=-1)))


def _endpoint(tensor: str) -> tuple[str, int]:
    """``x:0`` is output 0 of operation ``x``."""
    name, _, index = tensor.partition(":")
    return name, int(index)


if __name__ == "__main__":
    path, alias, rows, columns = sys.argv[1:]
    print(*session_run_us(path, alias, int(rows), int(columns)))
