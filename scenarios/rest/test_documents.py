"""The documents that tell a model's status and metadata [4.7]."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from harness.cases import AnyOf, Json, RestCase, error, get, ok
from harness.terms import Level
from scenarios.rest.scenario import SCENARIO, status

pytestmark = pytest.mark.scenario(SCENARIO)


def tensor(alias: str, dtype: str, sizes: tuple[int, ...]) -> str:
    """One input or output of the metadata document; only the tensor's name in the graph is left open."""
    dims = ",\n".join(
        f'       {{\n        "size": "{size}",\n        "name": ""\n       }}' for size in sizes
    )
    shape = f'"dim": [\n{dims}\n      ]' if sizes else '"dim": []'
    before, after = (
        f'    "{alias}": {{\n     "name": ',
        (f',\n     "dtype": "{dtype}",\n     "tensor_shape": {{\n      {shape},\n      "unknown_rank": '),
    )
    return re.escape(before) + '"[^"]*"' + re.escape(after) + r"(false|true)\n     \}\n    \}"


def signature(name: str, inputs: str, outputs: str, method: str) -> str:
    """One signature of the metadata document."""
    return (
        re.escape(f'  "{name}": {{\n   "inputs": ')
        + inputs
        + re.escape(',\n   "outputs": {\n')
        + outputs
        + re.escape(f'\n   }},\n   "method_name": "{method}",\n   "defaults": {{}}\n  }}')
    )


TRIPLE = signature(
    "triple",
    r"\{\n" + tensor("x", "DT_FLOAT", (-1,)) + r"\n   \}",
    tensor("y", "DT_FLOAT", (-1,)),
    "tensorflow/serving/predict",
)
INIT = signature("__saved_model_init_op", r"\{\}", tensor("__saved_model_init_op", "DT_INVALID", ()), "")


def metadata(*signatures: str) -> re.Pattern[str]:
    """The whole document of the model ``named``."""
    before = """{
"model_spec":{
 "name": "named",
 "version": "1",
 "signature_name": ""
}
,
"metadata": {"signature_def": {
 "signature_def": {
"""
    after = "\n }\n}\n}\n}\n"
    return re.compile(re.escape(before) + ",\n".join(signatures) + re.escape(after))


def info(dtype: str, shape: tuple[int, ...]) -> dict[str, object]:
    dims = [{"size": str(size), "name": ""} for size in shape]
    return {"dtype": dtype, "tensor_shape": {"dim": dims, "unknown_rank": False}}


UNKNOWN_RANK = {"dtype": "DT_HALF", "tensor_shape": {"dim": [], "unknown_rank": True}}

STATUS = (
    RestCase(
        "status/layout",
        "A status lists version, state and error, indented by one blank, numbers of 64 bits as strings, and "
        "ends with a line end; the highest version comes first.",
        get("/v1/models/m"),
        status(3, 2, 1),
        facts=("4.7.1", "4.7.2", "HTTP-20"),
    ),
    RestCase(
        "status/one-version",
        "The status of one version lists that one.",
        get("/v1/models/m/versions/2"),
        status(2),
        facts=("4.7.1", "HTTP-20"),
    ),
    *(
        RestCase(
            f"status/unknown/{name}",
            "A model or version that was never there is not found; a status knows other words for it.",
            get(f"/v1/models/{target}"),
            error(404, text),
            facts=("4.7.3", "HTTP-21"),
        )
        for name, target, text in (
            ("model", "nobody", "Could not find any versions of model nobody"),
            ("label", "nobody/labels/stable", "Could not find any versions of model nobody"),
            ("version", "m/versions/7", "Could not find version 7 of model m"),
            ("version-of-model", "nobody/versions/1", "Could not find version 1 of model nobody"),
        )
    ),
)

METADATA = (
    RestCase(
        "metadata/layout",
        "Metadata give the model, its version and an empty signature name, then the signatures in protobuf's "
        "JSON: snake_case names, default values printed, sizes as strings.",
        get("/v1/models/named/metadata"),
        ok(AnyOf(metadata(TRIPLE, INIT), metadata(INIT, TRIPLE))),
        facts=("4.7.4", "4.7.5", "4.7.6", "HTTP-22"),
    ),
    RestCase(
        "metadata/signatures",
        "Each signature lists its inputs and outputs with dtype and shape; the order does not matter.",
        get("/v1/models/m/metadata"),
        ok(
            Json(
                {
                    "model_spec": {"name": "m", "version": "3", "signature_name": ""},
                    "metadata": {
                        "signature_def": {
                            "signature_def": {
                                "serving_default": {
                                    "inputs": {"x": info("DT_FLOAT", (-1,))},
                                    "outputs": {"y": info("DT_FLOAT", (-1,))},
                                    "method_name": "tensorflow/serving/predict",
                                }
                            }
                        }
                    },
                },
                whole=False,
            )
        ),
        facts=("4.7.4", "4.7.5", "HTTP-22"),
    ),
    RestCase(
        "metadata/unknown-rank",
        "A shape of unknown rank has no sizes and says so.",
        get("/v1/models/echo/metadata"),
        ok(
            Json(
                {
                    "metadata": {
                        "signature_def": {
                            "signature_def": {
                                "half": {"inputs": {"x": UNKNOWN_RANK}, "outputs": {"y": UNKNOWN_RANK}}
                            }
                        }
                    }
                },
                whole=False,
            )
        ),
        facts=("4.7.4", "HTTP-22"),
    ),
    RestCase(
        "metadata/initialiser",
        "The initialiser of a TensorFlow 2 model stands among the signatures, without inputs.",
        get("/v1/models/m/metadata"),
        ok(
            Json(
                {"metadata": {"signature_def": {"signature_def": {"__saved_model_init_op": {"inputs": {}}}}}},
                whole=False,
            )
        ),
        facts=("4.7.6",),
        level=Level.QUIRK,
    ),
    *(
        RestCase(
            f"metadata/unknown/{name}",
            "Metadata come from the versions that answer requests; where there is none, the words are "
            "those of an inference.",
            get(f"/v1/models/{target}/metadata"),
            error(404, f"Servable not found for request: {wanted}"),
            facts=("4.7.7", "HTTP-23"),
        )
        for name, target, wanted in (
            ("model", "nobody", "Latest(nobody)"),
            ("version", "m/versions/7", "Specific(m, 7)"),
            ("label-of-missing-version", "m/labels/gone", "Specific(m, 77)"),
        )
    ),
)


@pytest.mark.cases((*STATUS, *METADATA))
def test_case(case: Callable[[], None]) -> None:
    """One exchange for each case."""
    case()
