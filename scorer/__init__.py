"""Ranks the pixels of an image pool with an exported scoring graph. Needs no PyTorch.

    import scorer

    for result in scorer.rank("scorer.onnx", "./images", n=5):
        print(result)

The names in __init__.pyi are this package's promise; whatever else it holds may move. Each is
loaded when it is first asked for.
"""

import lazy_loader

__version__ = "0.2.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
