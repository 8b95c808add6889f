"""A file that is not there is named before PyTorch or onnx is loaded, which takes seconds."""

import os
import subprocess
import sys
from pathlib import Path

import byhand
import pytest
from PIL import Image

_SAID = """
import sys
from importlib import import_module
main = import_module(sys.argv[1] + ".cli").main
try:
    code = main(sys.argv[2:])
except SystemExit as ended:
    code = ended.code
print("code", code)
print("loaded", sorted({"torch", "onnx", "onnxscript"} & set(sys.modules)))
"""
_DATASET = """
version = 1
size = "32x32"
[train]
images = "images"
[val]
images = "val"
masks = "images"
[classes]
names = ["a", "b"]
"""
MISSING = {
    "export onnx": "model.safetensors does not exist",
    "export onnx --from none.onnx": "none.onnx does not exist",
    "export onnx --from there.onnx --classes none.txt": "none.txt does not exist",
    "export onnx --model there.onnx --plain --precision int8 --calibrate none": "none does not",
    "export verify": "scorer.onnx does not exist",
    "export verify --graph there.onnx --pool none --from there.onnx": "none does not exist",
    "export verify --graph there.onnx --from none.onnx": "none.onnx does not exist",
    "export verify --graph graph.onnx": "model.safetensors does not exist",
    "export tensorrt": "scorer.onnx does not exist",
    "export tensorrt there.onnx --refit none.engine": "none.engine does not exist",
    "export triton none.onnx": "none.onnx does not exist",
    "trainer init none": "none is not a folder",
    "trainer fit --data none.toml": "none.toml does not exist",
    "trainer fit --data broken.toml": "nothing is not a folder",
    "trainer fit --labels none.csv": "none.csv does not exist",
    "trainer fit --labels none.db": "none.db does not exist",
    "trainer fit --dense-labels none": "none is not a folder",
    "trainer fit --weights none.pth": "none.pth does not exist",
    "trainer supervised --weights none.pth": "none.pth does not exist",
    "trainer simulate --weights none.pth": "none.pth does not exist",
    "trainer simulate --supervised none.safetensors": "none.safetensors does not exist",
    "trainer simulate --data broken.toml": "nothing is not a folder",
    "trainer evaluate": "model.safetensors does not exist",
    "trainer evaluate --masks none": "none is not a folder",
    "trainer evaluate --model there.onnx --data broken.toml": "nothing is not a folder",
    "trainer calibrate": "model.safetensors does not exist",
    "trainer calibrate --model there.onnx --data none.toml": "none.toml does not exist",
    "trainer calibrate --model there.onnx --labels none.db": "none.db does not exist",
    "trainer live --pool none --classes a,b --out fresh": "none does not exist",
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset.toml, a broken one, a graph, and a file that is enough to be there."""
    root = tmp_path_factory.mktemp("place")
    for name in ("images", "val"):
        (root / name).mkdir()
        Image.new("RGB", (32, 32)).save(root / name / "a.png")
    (root / "dataset.toml").write_text(_DATASET)
    (root / "broken.toml").write_text(_DATASET.replace('"images"', '"nothing"', 1))
    (root / "there.onnx").touch()
    byhand.save(root / "graph.onnx", "balentacq")
    return root


@pytest.mark.parametrize("words", MISSING)
def test_what_is_missing_is_said_before_pytorch_is_loaded(words: str, place: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-c", _SAID, *words.split()],
        cwd=place,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert MISSING[words] in " ".join(result.stderr.split())
    assert result.stdout.splitlines() == ["code 5", "loaded []"]
