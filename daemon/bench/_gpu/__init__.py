"""Parts of `tests/bench/gpu.py`, which measures everything on a GPU."""
