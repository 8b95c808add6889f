"""The layouts of published datasets, by their names in dataset.toml."""

from trainer.layouts.ade20k import ADE20K
from trainer.layouts.camvid import CAMVID
from trainer.layouts.cityscapes import CITYSCAPES
from trainer.layouts.layout import Layout
from trainer.layouts.voc2012 import VOC2012

KNOWN: dict[str, Layout] = {
    "camvid": CAMVID,
    "cityscapes": CITYSCAPES,
    "voc2012": VOC2012,
    "ade20k": ADE20K,
}
