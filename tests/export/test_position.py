"""Scores that are not those of the whole image are refused: by what moves in them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import photographs
import pytest
from click.testing import CliRunner
from onnx import helper, numpy_helper

from export import grafting
from export.cli import main
from export.position import elsewhere, looks
from export.source import Source, open_network
from scorer.errors import CannotGraft

Array = np.ndarray


def network(
    folder: Path, *, size: tuple[int, int] = (64, 96), padded: bool = False, stride: int = 1,
    crop: int = 0, enlarged: bool = False, gain: float = 1.0,
) -> Path:  # fmt: skip
    """3x3 and 9x9 convolutions and a 1x1 classifier. crop: rows and columns that are cut off on
    all sides before the classifier; enlarged: to the size of the image, behind it.
    """
    rng = np.random.default_rng(3)
    shapes = {"a": (8, 3, 3, 3), "b": (8, 8, 9, 9), "w": (3, 8, 1, 1)}
    tensors = [
        numpy_helper.from_array((gain * rng.normal(size=s) / s[1]).astype(np.float32), n)
        for n, s in shapes.items()
    ]
    whole = {"from": [crop, crop], "to": [-crop, -crop], "axes": [2, 3], "sizes": [1, 3, *size]}
    tensors += [numpy_helper.from_array(np.array(v, np.int64), n) for n, v in whole.items()]
    pads = [4 * padded] * 4
    nodes = [
        helper.make_node("Conv", ["image", "a"], ["c"], pads=[int(padded)] * 4),
        helper.make_node("Relu", ["c"], ["d"]),
        helper.make_node("Conv", ["d", "b"], ["e"], pads=pads, strides=[stride, stride]),
        helper.make_node("Relu", ["e"], ["g"]),
        helper.make_node("Slice" if crop else "Identity",
                         ["g", "from", "to", "axes"] if crop else ["g"], ["f"]),
        helper.make_node("Conv", ["f", "w"], ["l"]),
        helper.make_node("Resize" if enlarged else "Identity",
                         ["l", "", "", "sizes"] if enlarged else ["l"], ["out"],
                         **({"mode": "linear"} if enlarged else {})),
    ]  # fmt: skip
    graph = helper.make_graph(
        nodes,
        "hand",
        [helper.make_tensor_value_info("image", 1, [1, 3, *size])],
        [helper.make_tensor_value_info("out", 1, [1, 3, None, None])],
        tensors,
    )
    path = folder / "network.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), path)
    return path


@pytest.mark.parametrize(
    "how",
    [
        {},  # of another shape than the image, too
        {"size": (96, 96)},
        {"size": (96, 128), "stride": 2},
        {"padded": True, "crop": 8},
        {"crop": 8, "enlarged": True},
    ],
)
def test_a_network_without_padding_or_with_a_crop_is_refused(
    how: dict[str, object], tmp_path: Path
) -> None:
    path = network(tmp_path, **how)  # type: ignore[arg-type]
    result = CliRunner().invoke(main, ["onnx", "--from", str(path), "--preset", "unit"])
    said = " ".join(result.output.split())
    assert result.exit_code == 5, said
    assert "does not score the whole image" in said
    assert "of the middle of the image" in said
    assert "zeros around its convolutions" in said


@pytest.mark.parametrize("how", [{}, {"size": (96, 96)}, {"stride": 4}, {"enlarged": True}])
def test_the_same_network_with_padding_is_taken(how: dict[str, object], tmp_path: Path) -> None:
    path = network(tmp_path, padded=True, **how)  # type: ignore[arg-type]
    found, _, _ = open_network(Source(path=path, preset="unit"), None)
    assert found.kept == pytest.approx(1.0)


@pytest.mark.slow
def test_verify_fails_where_the_map_lies_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its values are right: pixel by pixel they are those of the reference."""
    path = network(tmp_path)
    monkeypatch.setattr(grafting, "elsewhere", lambda *_: "")
    pool, out = tmp_path / "pool", tmp_path / "graph.onnx"
    pool.mkdir()
    photographs.photographs(pool, 2, height=80, width=120)
    words = ["--from", str(path), "--out", str(out)]
    result = CliRunner().invoke(main, ["onnx", *words, "--preset", "unit", "--mc", "4"])
    assert result.exit_code == 0, result.output
    words = ["--graph", str(out), "--from", str(path), "--pool", str(pool)]
    result = CliRunner().invoke(main, ["verify", *words])
    assert result.exit_code == 1, result.output
    failures = [line for line in result.output.splitlines() if line.startswith("FAIL")]
    assert len(failures) == 1
    assert "the map shows another place" in failures[0]


def smooth(image: Array) -> Array:
    grey = image.mean(axis=2)
    return sum(np.roll(grey, (i, j), (0, 1)) for i in range(-2, 3) for j in range(-2, 3)) / 25


@pytest.mark.parametrize(
    ("see", "wrong"),
    [
        (smooth, ""),
        (lambda image: smooth(image)[::4, ::4], ""),
        (lambda image: smooth(image)[8:-8, 8:-8], "of the middle"),
        (lambda image: smooth(image)[16:-16, :], "of the middle"),
        (lambda image: np.roll(smooth(image), 20, 0), "rows and"),
        (lambda image: np.full(image.shape[:2], image.mean()), ""),  # it tells nothing
        (lambda image: np.zeros(image.shape[:2]), ""),
    ],
)
def test_what_a_map_looks_at(see: Callable[[Array], Array], wrong: str) -> None:
    image = np.random.default_rng(0).integers(0, 256, (96, 128, 3), dtype=np.uint8)
    said = elsewhere(looks(image, see), see(image).shape)
    assert wrong in said
    assert bool(said) == bool(wrong)


@pytest.mark.parametrize(
    ("gain", "said"),
    [
        (1e3, "gives class scores of up to"),
        (1e20, "gives features that are no finite numbers"),
        (np.nan, "weights that are no finite numbers"),
    ],
)
def test_scores_beyond_what_float32_keeps_are_named(gain: float, said: str, tmp_path: Path) -> None:
    path = network(tmp_path, padded=True, gain=gain)
    with pytest.raises(CannotGraft, match=said) as caught:
        open_network(Source(path=path, preset="raw"), None)
    if np.isfinite(gain):
        assert "--preset" in caught.value.remedy
