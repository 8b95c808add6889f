"""An ordinary contract, for tests."""

from scorer.contract import Contract

CONTRACT = Contract(
    acquisition="balentacq",
    passes=20,
    dropout=0.2,
    mask_seed=0,
    height=360,
    width=480,
    classes=("sky", "caf\u00e9"),
    colours=((1, 2, 3), (255, 0, 16)),
    top_k=64,
    has_map=True,
    network="deeplabv3plus-mobilenetv2",
    weights_sha256="ab" * 32,
    versions={"balentacq": "0.1.0"},
)
