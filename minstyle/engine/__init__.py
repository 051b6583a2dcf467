"""What computes: reverse-mode differentiation, the ops and their kernels."""
