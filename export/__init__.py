"""Exports a trained model, its dropout passes and an acquisition function as one ONNX graph.

    import export

    export.export("model.safetensors", "scorer.onnx", passes=20)
    print(export.verify("scorer.onnx", "images").failures)

The names in __init__.pyi are the public interface of this package; all other names may change. Each
is imported when it is first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
