"""Foreign weights files, one format a file: bytes in, named tensors out."""
