"""Bakes a trained model, its dropout passes and its acquisition into one ONNX graph."""
