"""Models made from others: damaged ones, and some that bring warm-up requests along."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from harness import warmup

_GRAPH = "saved_model.pb"
_INDEX = "variables/variables.index"
_SHARD = "variables/variables.data-00000-of-00001"
_BY_FIVE = warmup.predict_log("m", {"by": np.array([5], np.int64)})
_BY_ONE = warmup.predict_log("m", {"by": np.array([1], np.int64)})

#: What a warm-up file holds, by the name of the model.
_WARM_UPS = {
    "warm_good": warmup.records(
        [
            _BY_FIVE,
            warmup.predict_log("other", {"by": np.array([2, 3], np.int64)}),
            warmup.predict_log("m", {"any": np.array([7], np.int64)}, "peek"),
        ]
    ),
    "warm_bad_input": warmup.records([warmup.predict_log("m", {"by": np.array([1.5], np.float32)})]),
    "warm_bad_key": warmup.records([warmup.predict_log("m", {"nope": np.array([1], np.int64)})]),
    "warm_bad_signature": warmup.records([warmup.predict_log("m", {"by": np.array([1], np.int64)}, "nope")]),
    "warm_garbage_record": warmup.records([b"\xff\xfe not a log"]),
    "warm_not_tfrecord": b"these are not records at all, sorry",
    "warm_empty_file": b"",
    "warm_no_type": warmup.records([b"", _BY_ONE]),
}


def write(models: Path) -> None:
    """Add them to ``models``, which has the models that they are made of."""
    for name, content in _WARM_UPS.items():
        file = _copy(models, "counter", name) / warmup.PATH
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(content)
    (models / "empty_dir" / "1").mkdir(parents=True)
    for name, damaged, kept in (("truncated_pb", _GRAPH, 0.5), ("truncated_shard", _SHARD, 0.1)):
        file = _copy(models, "lin", name) / damaged
        content = file.read_bytes()
        file.write_bytes(content[: int(len(content) * kept)])
    for name, damaged, content in (
        ("garbage_pb", _GRAPH, b"\x00\x01garbage, not a protobuf\xff\xff"),
        ("zero_pb", _GRAPH, b""),
        ("bad_index", _INDEX, b"not an index"),
    ):
        (_copy(models, "lin", name) / damaged).write_bytes(content)
    (_copy(models, "lin", "no_pb") / _GRAPH).unlink()
    (_copy(models, "lin", "no_data_shard") / _SHARD).unlink()
    shutil.rmtree(_copy(models, "lin", "no_variables") / "variables")
    for asset in (_copy(models, "vocab", "missing_asset") / "assets").iterdir():
        asset.unlink()


def _copy(models: Path, source: str, name: str) -> Path:
    """A new model, with the first version of another one."""
    return shutil.copytree(models / source / "1", models / name / "1")
