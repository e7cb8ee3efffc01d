"""Our own kernels for processors, compiled where they run: attention over segments, and products
with int8 weights as they are stored. Imports `models.nn` and `cache`; numba only to compile."""
