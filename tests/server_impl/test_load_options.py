"""How versions are loaded, from flags and from files [1.2, 1.3.4-1.3.6]."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.wire import messages as wire
from server_impl import flags, load_options
from server_impl.errors import Code, ServingError
from server_impl.load_options import LoadOptions

ADAPTER = "type.googleapis.com/tensorflow.serving.SavedModelBundleSourceAdapterConfig"


def read(*arguments: str) -> LoadOptions:
    return load_options.from_flags(flags.parse(arguments))


def platform_config(path: Path, legacy: str) -> str:
    adapter = f"[{ADAPTER}] {{ legacy_config {{ {legacy} }} }}"
    entry = f'key: "tensorflow" value {{ source_adapter_config {{ {adapter} }} }}'
    path.write_text(f"platform_configs {{ {entry} }}")
    return f"--platform_config_file={path}"


def test_defaults() -> None:
    options = read()
    assert options == LoadOptions(tags=("serve",), session=wire.ConfigProto())


@pytest.mark.parametrize(
    ("arguments", "threads"),
    [
        ((), (0, 0)),
        (("--tensorflow_session_parallelism=3",), (3, 3)),
        (("--tensorflow_intra_op_parallelism=2",), (2, 0)),
        (("--tensorflow_intra_op_parallelism=2", "--tensorflow_inter_op_parallelism=4"), (2, 4)),
        (("--tensorflow_session_parallelism=3", "--tensorflow_inter_op_parallelism=4"), (0, 4)),
    ],
)
def test_threads_come_from_flags_whatever_the_file_says(
    arguments: tuple[str, ...], threads: tuple[int, int], tmp_path: Path
) -> None:
    file = tmp_path / "session.config"
    file.write_text(
        "intra_op_parallelism_threads: 9 inter_op_parallelism_threads: 9 allow_soft_placement: true"
    )
    session = read(*arguments, f"--tensorflow_session_config_file={file}").session
    assert (session.intra_op_parallelism_threads, session.inter_op_parallelism_threads) == threads
    assert session.allow_soft_placement


@pytest.mark.parametrize(
    ("value", "on", "said"),
    [
        ("", False, None),
        ("bfloat16", True, "Running inference with bfloat16 auto mixed precision"),
        ("int4", False, "int4 auto mixed precision is not supported. Valid option: bfloat16"),
    ],
)
def test_mixed_precision(value: str, on: bool, said: str | None, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        rewriter = read(f"--mixed_precision={value}").session.graph_options.rewrite_options
    assert (rewriter.auto_mixed_precision_onednn_bfloat16 == wire.RewriterConfig.ON) is on
    assert [record.message for record in caplog.records] == ([] if said is None else [said])


def test_platform_config_replaces_the_flags(tmp_path: Path) -> None:
    given = platform_config(
        tmp_path / "platform.config",
        'saved_model_tags: "a" saved_model_tags: "b" batching_parameters { max_batch_size { value: 7 } } '
        "enable_per_model_batching_params: true model_warmup_options { num_request_iterations { value: 3 } } "
        'mixed_precision: "bfloat16" session_config { inter_op_parallelism_threads: 5 }',
    )
    options = read(
        given,
        "--saved_model_tags=other",
        "--enable_model_warmup=true",
        "--batching_parameters_file=/nowhere",
        "--tensorflow_session_parallelism=9",
    )
    assert options.tags == ("a", "b")
    assert options.batching is not None
    assert options.batching.max_batch_size.value == 7
    assert options.per_model_batching
    assert not options.warmup  # off unless the file turns it on
    assert options.warmup_iterations == 3
    assert options.session.inter_op_parallelism_threads == 5
    assert options.session.graph_options.rewrite_options.auto_mixed_precision_onednn_bfloat16


def test_platform_config_says_what_has_no_effect(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    given = platform_config(tmp_path / "platform.config", 'prefer_tflite_model: true saved_model_tags: "a"')
    with caplog.at_level("WARNING"):
        read(given)
    assert [record.message.partition(": ")[2] for record in caplog.records] == [
        "prefer_tflite_model has no effect in this server"
    ]


def test_platform_config_without_the_one_platform(tmp_path: Path) -> None:
    file = tmp_path / "platform.config"
    file.write_text("# nothing\n")
    with pytest.raises(ServingError, match='needs an entry "tensorflow"') as caught:
        read(f"--platform_config_file={file}")
    assert caught.value.code is Code.INVALID_ARGUMENT


def test_session_options_of_all_kinds_are_read(tmp_path: Path) -> None:
    file = tmp_path / "session.config"
    file.write_text(
        "gpu_options { allow_growth: true experimental { virtual_devices { memory_limit_mb: 100 } } } "
        "graph_options { rewrite_options { memory_optimization: NO_MEM_OPT min_graph_nodes: -1 } } "
        'experimental { executor_type: "SINGLE_THREADED_EXECUTOR" mlir_bridge_rollout: 2 }'
    )
    session = read(f"--tensorflow_session_config_file={file}").session
    assert session.experimental.executor_type == "SINGLE_THREADED_EXECUTOR"
    assert session.graph_options.rewrite_options.memory_optimization == wire.RewriterConfig.NO_MEM_OPT
