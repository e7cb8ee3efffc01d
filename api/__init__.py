"""What a completion is asked with and what its answer reports; every other package speaks these
words. Plain frozen data, no torch: `request`, `report`, and the ranges of numbers from outside.
"""
