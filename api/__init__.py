"""Requests for completions, reports of how they were answered, and the names of documents: the
words that every other package speaks. Plain frozen data, no torch.
"""
