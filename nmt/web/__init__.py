"""A page on which a translator of one's own runs offline, in the reader's browser, by onnxruntime-web.

`nmt export RUN DIR --format onnx --web` writes it. The page is in `web/page/`: what the Python side knows of text is
handed to it in one file, text.json, so that both cut, protect and tokenize alike.
"""
