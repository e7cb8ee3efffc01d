"""What numba compiles: our kernels for a processor, and the intrinsics that they are made of."""
