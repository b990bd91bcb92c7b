"""Writing ONNX exports: graphs made from a run's weights by onnx_ir, without TensorFlow, and the directory around them.

`nmt.export(run, directory, format="onnx")` writes one; `nmt.onnx_engine` runs it.
"""
