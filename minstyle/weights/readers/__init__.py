"""Readers of other programs' weights files. Each takes a path and returns arrays by name, or layers.

One format a file: ``array_pickle`` (JAX), ``caffemodel``, ``keras_h5``, ``matconvnet``, ``numpy_file``, ``onnx_file``,
``safetensors_file``, ``torch_file``; ``formats`` has the table. Several of them share ``tensors`` (from arrays by name
to layers, and limits on their size), ``pickles`` (unpickling that runs no code), ``archive`` (zip files), ``wire``
(protocol buffers) and ``matlab`` (MAT-files). Files come from strangers: sizes are checked before memory is allocated.
"""
