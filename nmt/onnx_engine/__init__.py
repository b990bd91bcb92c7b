"""Translating with an ONNX export: NumPy and ONNX Runtime, no TensorFlow."""
