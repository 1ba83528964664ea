"""The command line: spelling, types, bad values, unknown arguments [1.1, 1.2]."""

from __future__ import annotations

import pytest

from server_impl import flags


def test_defaults_are_those_of_tensorflow_serving() -> None:
    options = flags.parse([])
    assert options.number("port") == 8500
    assert options.number("rest_api_port") == 0
    assert options.text("model_name") == "default"
    assert options.number("load_retry_interval_micros") == 60_000_000
    assert options.is_on("enable_model_warmup")
    assert len(flags.FLAGS) == 48


@pytest.mark.parametrize(
    ("argument", "name", "value"),
    [
        ("--port=9000", "port", 9000),
        ("--port= 9000", "port", 9000),
        ("--port=+9000", "port", 9000),
        ("--port=-1", "port", -1),
        ("--max_num_load_retries=99999999999", "max_num_load_retries", 1215752191),
        ("--load_retry_interval_micros=99999999999999999999", "load_retry_interval_micros", 2**63 - 1),
        ("--enable_batching", "enable_batching", True),
        ("--enable_batching=TRUE", "enable_batching", True),
        ("--enable_batching=0", "enable_batching", False),
        ("--model_name=", "model_name", ""),
        ("--model_name=a=b", "model_name", "a=b"),
        ("--per_process_gpu_memory_fraction=.5e0", "per_process_gpu_memory_fraction", 0.5),
    ],
)
def test_value_is_read(argument: str, name: str, value: flags.Value) -> None:
    options = flags.parse([argument])
    assert options.values[name] == value
    assert options.unknown == ()


@pytest.mark.parametrize(
    "argument",
    [
        "--port=85x",
        "--port=",
        "--port=1.5",
        "--port=0x10",
        "--enable_batching=maybe",
        "--enable_batching=",
        "--per_process_gpu_memory_fraction=x",
    ],
)
def test_value_that_cannot_be_read_is_named(argument: str) -> None:
    name, _, value = argument.removeprefix("--").partition("=")
    with pytest.raises(flags.BadFlagError, match=f"^Couldn't interpret value {value} for flag {name}.$"):
        flags.parse([argument])


@pytest.mark.parametrize(
    ("arguments", "unknown"),
    [
        (["--port", "9000"], ("--port", "9000")),
        (["-port=9000"], ("-port=9000",)),
        (["--nonsense=1"], ("--nonsense=1",)),
        (["--noenable_batching"], ("--noenable_batching",)),
        (["stray"], ("stray",)),
        (["--", "--port=9000"], ("--", "--port=9000")),
        (["stray", "--help"], ("stray", "--help")),
    ],
)
def test_unknown_arguments_are_kept_and_change_nothing(
    arguments: list[str], unknown: tuple[str, ...]
) -> None:
    options = flags.parse(arguments)
    assert options.unknown == unknown
    assert options.number("port") == 8500


def test_blank_before_a_bool_value_turns_it_on() -> None:
    options = flags.parse(["--enable_batching", "false"])
    assert options.is_on("enable_batching")
    assert options.unknown == ("false",)


def test_last_value_wins() -> None:
    assert flags.parse(["--port=1", "--port=2"]).number("port") == 2


def test_help_as_first_unknown_argument() -> None:
    with pytest.raises(flags.HelpRequestedError):
        flags.parse(["--port=1", "--help"])


def test_flag_without_effect_says_why() -> None:
    sentences = flags.parse(["--skip_initialize_tpu", "--num_tflite_pools=9", "--port=1"]).without_effect()
    assert [sentence.split()[0] for sentence in sentences] == [
        "--num_tflite_pools",
        "--skip_initialize_tpu",
    ]
    assert all(" has no effect in this server: " in sentence for sentence in sentences)


@pytest.mark.parametrize(
    ("arguments", "sentences"),
    [
        (
            ["--model_config_file=c", "--model_name=m", "--model_base_path=/m"],
            [
                "--model_name has no effect: --model_config_file takes its place",
                "--model_base_path has no effect: --model_config_file takes its place",
            ],
        ),
        (
            ["--platform_config_file=p", "--enable_batching", "--saved_model_tags=gpu"],
            [
                "--enable_batching has no effect: --platform_config_file takes its place",
                "--saved_model_tags has no effect: --platform_config_file takes its place",
            ],
        ),
        (
            ["--model_config_file_poll_wait_seconds=1"],
            ["--model_config_file_poll_wait_seconds has no effect without --model_config_file"],
        ),
        (["--model_config_file=c", "--model_config_file_poll_wait_seconds=1"], []),
        (
            ["--monitoring_config_file=m"],
            ["--monitoring_config_file has no effect without --rest_api_port"],
        ),
        (["--monitoring_config_file=m", "--rest_api_port=1"], []),
        (
            ["--enable_model_warmup=false", "--num_request_iterations_for_warmup=2"],
            ["--num_request_iterations_for_warmup has no effect without --enable_model_warmup"],
        ),
    ],
)
def test_flag_that_depends_on_another_one(arguments: list[str], sentences: list[str]) -> None:
    assert flags.parse(arguments).without_effect() == sentences


def test_flag_given_its_default_is_not_worth_a_sentence() -> None:
    assert flags.parse(["--enable_profiler=true"]).without_effect() == []


def test_usage_names_every_flag() -> None:
    text = flags.usage("tfs-reference-server")
    assert text.startswith("usage: tfs-reference-server\nFlags:\n")
    assert "\t--port=8500                      \tint32\t" in text
    assert text.count("\n") == 2 + len(flags.FLAGS)
