"""Bakes a trained model, its dropout passes and its acquisition into one ONNX graph.

    import export

    export.export("model.safetensors", "scorer.onnx", passes=20)
    print(export.verify("scorer.onnx", "images").failures)

The names in __init__.pyi are this package's promise; whatever else it holds may move. Each is
loaded when it is first asked for.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
