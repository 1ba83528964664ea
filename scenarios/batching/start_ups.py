"""Batching parameters that no server can work with."""

from __future__ import annotations

import re

from harness.startup import NO_RETRIES, ONE_MODEL, StartUp, not_loaded, refused
from harness.terms import Level, Model
from scenarios.batching.scenario import parameters

_BATCHING = (*ONE_MODEL, NO_RETRIES, "--enable_batching", "--batching_parameters_file=$FILES/batching.config")
_VERSION = "{name: m version: 1}"

START_UPS = (
    StartUp(
        "no-thread",
        "Batches need a thread to run on.",
        _BATCHING,
        refused("INVALID_ARGUMENT: num_batch_threads must be positive; was 0"),
        files={"batching.config": parameters(num_batch_threads=0)},
        facts=("8.2", "X-58"),
        level=Level.SHOULD,
    ),
    StartUp(
        "allowed-sizes",
        "The last of the allowed batch sizes must be the maximum, or no model can be loaded.",
        _BATCHING,
        not_loaded(
            _VERSION,
            "INVALID_ARGUMENT: Last entry in allowed_batch_sizes must match max_batch_size; "
            "last entry was 8; expected 16",
        ),
        files={"batching.config": parameters(max_batch_size=16) + "allowed_batch_sizes: 8\n"},
        facts=("8.3", "BAT-05"),
    ),
    StartUp(
        "unknown-field",
        "Parameters with a field that nobody knows, here one without its wrapper, are refused.",
        _BATCHING,
        refused("INVALID_ARGUMENT: Invalid protobuf file: '$FILES/batching.config'"),
        files={"batching.config": "max_batch_size: 4"},
        facts=("1.3.4", "8.1", "BAT-06"),
    ),
    *(
        StartUp(
            name,
            "A limit must be a positive number, and a time must not be negative, or no model can be loaded.",
            _BATCHING,
            not_loaded(_VERSION, re.compile(rf"INVALID_ARGUMENT: {error}.*")),
            files={"batching.config": text},
            facts=("8.2", "X-58"),
            level=Level.UNVERIFIED,
        )
        for name, text, error in (
            (
                "negative-wait",
                parameters(batch_timeout_micros=-1),
                "batch_timeout_micros must be non-negative",
            ),
            ("no-rows", parameters(max_batch_size=0), "input_batch_size_limit must be positive"),
        )
    ),
    StartUp(
        "own-parameters-unreadable",
        "A model whose own parameters cannot be read is not loaded.",
        (*ONE_MODEL, NO_RETRIES, "--enable_batching", "--enable_per_model_batching_parameters"),
        not_loaded(_VERSION, "INVALID_ARGUMENT: Invalid protobuf file: '$MODELS/m/1/batching_params.pbtxt'"),
        models=(Model("m", "half_plus_two", files={"batching_params.pbtxt": b"max_batch_size: 4"}),),
        facts=("8.13", "BAT-11"),
    ),
)
