"""Triton's model repository, read back with Triton's own description of it."""

from collections.abc import Callable
from pathlib import Path

import byhand
import onnx
import pytest
from click.testing import CliRunner
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2
from tritonclient.utils import triton_to_np_dtype

from export import builder, engine, triton
from export.cli import main
from scorer.errors import BadInput

Graph = Callable[..., Path]


def parsed(repository: Path, name: str = "scorer") -> model_config_pb2.ModelConfig:
    text = (repository / name / "config.pbtxt").read_text()
    return text_format.Parse(text, model_config_pb2.ModelConfig())


@pytest.mark.parametrize("acquisition", ["balentacq", "random"])
def test_the_configuration_says_what_the_graph_has(
    acquisition: str, tiny: Graph, tmp_path: Path
) -> None:
    graph = tiny(acquisition)
    version = triton.write(graph, tmp_path, triton.RepositoryOptions(most=16, instances=2))
    assert (version / "model.onnx").read_bytes() == graph.read_bytes()
    config, model = parsed(tmp_path), onnx.load(graph)
    assert (config.name, config.backend, config.max_batch_size) == ("scorer", "onnxruntime", 16)
    for told, given in ((config.input, model.graph.input), (config.output, model.graph.output)):
        assert [entry.name for entry in told] == [entry.name for entry in given]
        for entry, value in zip(told, given, strict=True):
            kind = value.type.tensor_type
            assert list(entry.dims) == [side.dim_value for side in kind.shape.dim[1:]]
            name = model_config_pb2.DataType.Name(entry.data_type).removeprefix("TYPE_")
            assert triton_to_np_dtype(name) == onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type)
    assert config.dynamic_batching.max_queue_delay_microseconds == 2000
    assert config.instance_group[0].count == 2
    assert config.instance_group[0].kind == model_config_pb2.ModelInstanceGroup.KIND_GPU
    assert set(config.model_warmup[0].inputs) == {entry.name for entry in config.input}
    contract = engine.contract_in(graph)
    assert config.parameters["contract_sha256"].string_value == contract.sha256
    assert (tmp_path / "scorer" / "labels.txt").read_text().split() == list(contract.classes)


@pytest.mark.parametrize("name", ["../escape", 'a"b', "", "a/b", "..", "a b"])
def test_a_name_that_leads_elsewhere_is_refused(name: str) -> None:
    with pytest.raises(BadInput, match="a word in addresses"):
        triton.RepositoryOptions(name=name)


def test_a_second_graph_is_the_next_version(tiny: Graph, tmp_path: Path) -> None:
    for graph in (tiny(), tiny()):
        triton.write(graph, tmp_path, triton.RepositoryOptions(device="cpu"))
    assert sorted(path.name for path in (tmp_path / "scorer").iterdir()) == [
        "1", "2", "config.pbtxt", "labels.txt",
    ]  # fmt: skip
    assert parsed(tmp_path).instance_group[0].kind == model_config_pb2.ModelInstanceGroup.KIND_CPU


@pytest.mark.slow
def test_bfloat16_is_not_served_on_a_cpu(baked: Graph, tmp_path: Path) -> None:
    graph = baked(precision="bfloat16")
    with pytest.raises(BadInput, match="does not compute on a CPU"):
        triton.write(graph, tmp_path, triton.RepositoryOptions(device="cpu"))
    assert not list(tmp_path.iterdir())
    triton.write(graph, tmp_path, triton.RepositoryOptions())


def test_a_model_of_somebody_else_is_not_overwritten(tiny: Graph, tmp_path: Path) -> None:
    config = tmp_path / "scorer" / "config.pbtxt"
    config.parent.mkdir()
    config.write_text("name: 'scorer'")
    with pytest.raises(BadInput, match="was not written by this program"):
        triton.write(tiny(), tmp_path, triton.RepositoryOptions())
    assert [path.name for path in config.parent.iterdir()] == ["config.pbtxt"]


def test_engines_go_in_as_plans_and_those_of_rtx_do_not(baked: Graph, tmp_path: Path) -> None:
    pytest.importorskip("tensorrt_rtx", reason="TensorRT-RTX has no build for this platform")
    from scorer.runtimes import sidecar

    out = tmp_path / "scorer.engine"
    engine.build(baked(), out, builder.EngineOptions(flavour="rtx", gpu="sm89", batch=(1, 2, 4)))
    with pytest.raises(BadInput, match="which Triton does not run"):
        triton.write(out, tmp_path / "models", triton.RepositoryOptions())
    beside = sidecar.path_of(out)
    beside.write_text(beside.read_text().replace('"rtx"', '"tensorrt"'))
    with pytest.raises(BadInput, match="was built for up to 4"):
        triton.write(out, tmp_path / "models", triton.RepositoryOptions())
    version = triton.write(out, tmp_path / "models", triton.RepositoryOptions(most=4))
    assert (version / "model.plan").read_bytes() == out.read_bytes()
    assert parsed(tmp_path / "models").backend == "tensorrt"


def test_the_command(tiny: Graph, tmp_path: Path) -> None:
    words = ["triton", str(tiny()), "--repository", str(tmp_path / "models"), "--device", "cpu"]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 0, result.output
    assert "tritonserver --model-repository=" in result.stderr
    assert CliRunner().invoke(main, ["triton", str(tmp_path / "no.onnx")]).exit_code == 5


@pytest.mark.parametrize(("multiple", "dims"), [(None, [8, 12, 3]), (4, [-1, -1, 3])])
def test_a_plain_network_is_a_model_of_its_own(
    multiple: int | None, dims: list[int], tiny: Graph, tmp_path: Path
) -> None:
    contract = byhand.save_network(tmp_path / "network.onnx", multiple=multiple)
    for graph in (tiny(), tmp_path / "network.onnx"):
        triton.write(graph, tmp_path / "models", triton.RepositoryOptions(device="cpu"))
    config = parsed(tmp_path / "models", "network")
    assert [(one.name, list(one.dims)) for one in config.input] == [("image", dims)]
    (output,) = config.output
    assert (output.name, list(output.dims)) == ("probabilities", [2, *(dims[:2])])
    assert config.parameters["contract_sha256"].string_value == contract.sha256
    assert (tmp_path / "models" / "scorer" / "1").is_dir()
