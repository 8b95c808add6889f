"""Trains MC-dropout segmentation networks from a few labelled pixels; holds THE formulas.

    import trainer

    fitted = trainer.fit("dataset.toml", labels="labels.db")
    print(fitted.evaluation.miou)

The names in __init__.pyi are this package's promise; whatever else it holds may move. Each is
loaded when it is first asked for.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
