"""The kernels for NumPy arrays, on threads: convolutions, Gram matrices, sorting. ``masks`` serves CuPy arrays too."""
