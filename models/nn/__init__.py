"""The forward pass: linear kernels, attention over segments, the transformer. Imports `cache`
and `errors`.
"""
