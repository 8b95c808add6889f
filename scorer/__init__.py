"""Ranks the pixels of an image pool with an exported scoring graph. Needs no PyTorch.

    import scorer

    for result in scorer.rank("scorer.onnx", "./images", n=5):
        print(result)

The names in __init__.pyi are the public interface of this package; all other names may change. Each
is imported when it is first used.
"""

import lazy_loader

__version__ = "0.2.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
