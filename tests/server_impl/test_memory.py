from __future__ import annotations

import subprocess
import sys

import pytest

#: What the process maps of files, in MB, before and after; between them and at the end the library is used.
_SCRIPT = """
import re
from harness.wire import messages as wire
from server_impl import memory
from server_impl.servable.capi import tensor_from_proto

def mapped():
    return int(re.search(r"RssFile:\\s+(\\d+) kB", open("/proc/self/status").read())[1]) >> 10

message = wire.TensorProto(dtype=wire.DT_FLOAT, float_val=[1.5])
tensor_from_proto(message)
before = mapped()
memory.unmap_loading_code()
after = mapped()
print(before, after, tensor_from_proto(message).array.item())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux gives mapped code back")
def test_code_that_ran_at_the_start_is_not_resident() -> None:
    done = subprocess.run([sys.executable, "-c", _SCRIPT], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    before, after, value = done.stdout.split()
    assert int(after) < int(before) - 30
    assert float(value) == 1.5
