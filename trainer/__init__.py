"""Trains MC-dropout segmentation networks from a few labelled pixels; defines the acquisition
formulas.

    import trainer

    fitted = trainer.fit("dataset.toml", labels="labels.db")
    print(fitted.evaluation.miou)

The names in __init__.pyi are the public interface of this package; all other names may change. Each
is imported when it is first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
