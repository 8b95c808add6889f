"""The operators that may follow the classifier of a grafted network, and the text that lists
them.
"""

# Operators that move class scores, or keep their order.
MOVES = frozenset(
    {"Resize", "Transpose", "Identity", "Cast", "Slice", "Gather", "Reshape", "Pad", "Squeeze",
     "Unsqueeze", "Flatten", "Dropout"}
)  # fmt: skip
ENDINGS = frozenset({"Softmax", "LogSoftmax", "Sigmoid", "ArgMax", "Exp", "Log", "Clip"})
# Operators that decide between two classes.
DECISIONS = frozenset(
    {"Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Not", "Where", "Round", "Floor", "Ceil"}
)
EXPECTED = (
    "expected a Conv, ConvTranspose, MatMul or Gemm with constant weights, behind it only "
    "constants added or multiplied per class, DepthToSpace, "
    f"{', '.join(sorted(MOVES | ENDINGS))}; of two classes also a threshold"
)
