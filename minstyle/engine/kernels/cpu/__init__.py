"""The kernels for NumPy arrays: Winograd convolution and its kin, on threads."""
