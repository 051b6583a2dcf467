"""minstyle's objectives once more, in PyTorch: what tests compare with, and benchmarks run beside."""
