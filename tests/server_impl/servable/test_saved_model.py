from __future__ import annotations

import os
import shutil

import pytest

from harness.wire import messages as wire
from server_impl.errors import Code, ServingError
from server_impl.servable import saved_model
from server_impl.servable.servable import Servable, TensorSpec


@pytest.fixture
def copy(models, tmp_path):
    """A copy of half_plus_two that a test may damage."""
    return shutil.copytree(models / "half_plus_two", tmp_path / "1")


def load_error(path, **options) -> ServingError:
    with pytest.raises(ServingError) as caught:
        saved_model.load(str(path), **options)
    return caught.value


def test_signatures(load):
    loaded = load("odd")
    assert list(loaded.signatures) == ["index", "missing", "resource", "serving_default"]
    signature = loaded.signatures["serving_default"]
    assert signature.name == "serving_default"
    assert signature.method_name == "tensorflow/serving/predict"
    assert signature.inputs == {
        "x": TensorSpec("x:0", wire.DT_FLOAT, (-1, 2)),
        "y": TensorSpec("y:0", wire.DT_FLOAT, None),
    }
    assert list(signature.inputs) == ["x", "y"]
    assert signature.outputs == {"z": TensorSpec("z:0", wire.DT_FLOAT, (-1, 2))}
    assert {alias: tensor.array.tolist() for alias, tensor in signature.defaults.items()} == {
        "x": 7,
        "y": [[1, 2]],
    }
    assert loaded.signature_def_map.signature_def["serving_default"] == signature.definition


def test_a_servable_runs_what_was_loaded(load):
    loaded = load("half_plus_two")
    servable = Servable("half", 3, loaded.signatures, loaded.signature_def_map, loaded.session)
    assert (servable.name, servable.version) == ("half", 3)
    signature = servable.signatures["serving_default"]
    assert "__saved_model_init_op" in servable.signatures
    assert servable.run == loaded.session.run
    assert signature.inputs["x"].shape == (-1,)


def test_tag_sets_match_exactly(models):
    text = (
        "Could not find meta graph def matching supplied tags: { train }. To inspect available tag-sets in "
        "the SavedModel, please use the SavedModel CLI: `saved_model_cli`"
    )
    error = load_error(models / "train", tags=["train"])
    assert (error.code, error.message) == (Code.NOT_FOUND, text)
    assert load_error(models / "train").message == text.replace("train", "serve")
    saved_model.load(str(models / "train"), tags=["gpu", "train"]).session.close()
    saved_model.load(str(models / "half_plus_two"), tags=[]).session.close()


def test_session_options_are_heeded(models):
    config = wire.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=1)
    saved_model.load(str(models / "half_plus_two"), config=config).session.close()


def test_no_model_in_the_folder(tmp_path):
    error = load_error(tmp_path)
    assert error.code is Code.NOT_FOUND
    assert error.message == (
        "Specified file path does not appear to contain a SavedModel bundle (should have a file called "
        f"`saved_model.pb`)\nSpecified file path: {tmp_path}"
    )


def test_a_session_bundle_is_refused_even_beside_a_saved_model(copy):
    (copy / "export.meta").touch()
    error = load_error(copy)
    assert (error.code, error.message) == (Code.UNIMPLEMENTED, "Session Bundle is deprecated and removed.")


def write(name, contents):
    return lambda folder: (folder / name).write_bytes(contents)


def halve(name):
    return lambda folder: os.truncate(folder / name, (folder / name).stat().st_size // 2)


SHARD = "variables/variables.data-00000-of-00001"


@pytest.mark.parametrize(
    ("damage", "code", "text"),
    [
        (
            write("saved_model.pb", b"\0\1garbage\xff"),
            Code.DATA_LOSS,
            "Can't parse {}/saved_model.pb as binary proto",
        ),
        (
            write("saved_model.pb", b""),
            Code.NOT_FOUND,
            "Could not find meta graph def matching supplied tags: { serve }",
        ),
        (halve(SHARD), Code.OUT_OF_RANGE, "Read less bytes than requested"),
        (
            lambda folder: (folder / SHARD).unlink(),
            Code.NOT_FOUND,
            f"{{}}/{SHARD}; No such file or directory",
        ),
        (write("variables/variables.index", b"short"), Code.DATA_LOSS, "file is too short to be an sstable"),
    ],
)
def test_damaged_models(copy, damage, code, text):
    damage(copy)
    error = load_error(copy)
    assert error.code is code
    assert error.message.startswith(text.replace("{}", str(copy)))


def test_a_model_without_its_variables_loads_and_fails_when_run(copy):
    shutil.rmtree(copy / "variables")
    loaded = saved_model.load(str(copy))
    with pytest.raises(ServingError) as caught:
        loaded.session.run({}, ["StatefulPartitionedCall:0"])
    loaded.session.close()
    assert caught.value.code in (Code.INVALID_ARGUMENT, Code.FAILED_PRECONDITION)


def test_estimate_adds_up_all_files(tmp_path):
    (tmp_path / "a").write_bytes(b"123")
    (tmp_path / "deep" / "deeper").mkdir(parents=True)
    (tmp_path / "deep" / "deeper" / "b").write_bytes(b"4567")
    assert saved_model.estimate(str(tmp_path)) == 7


def test_estimate_of_what_is_no_folder(tmp_path):
    (tmp_path / "5").touch()
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    for path, code, text in (
        (tmp_path / "5", Code.FAILED_PRECONDITION, f"{tmp_path}/5; Not a directory"),
        (tmp_path / "6", Code.NOT_FOUND, f"{tmp_path}/6 not found"),
        (tmp_path, Code.NOT_FOUND, f"{tmp_path}/dangling; No such file or directory"),
    ):
        with pytest.raises(ServingError) as caught:
            saved_model.estimate(str(path))
        assert (caught.value.code, caught.value.message) == (code, text)
