"""What may stand at the end of a network that is grafted, and how it is said."""

# It moves class scores about, or keeps their order.
MOVES = frozenset(
    {"Resize", "Transpose", "Identity", "Cast", "Slice", "Gather", "Reshape", "Pad", "Squeeze",
     "Unsqueeze", "Flatten", "Dropout"}
)  # fmt: skip
ENDINGS = frozenset({"Softmax", "LogSoftmax", "Sigmoid", "ArgMax", "Exp", "Log", "Clip"})
# Which of two classes it is, once and for all.
DECISIONS = frozenset(
    {"Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Not", "Where", "Round", "Floor", "Ceil"}
)
EXPECTED = (
    "expected a Conv, ConvTranspose, MatMul or Gemm with constant weights, behind it only "
    "constants added or multiplied per class, DepthToSpace, "
    f"{', '.join(sorted(MOVES | ENDINGS))}; of two classes also a threshold"
)
