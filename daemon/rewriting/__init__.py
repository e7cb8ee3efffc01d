"""A next-edit model: a window of a file is written again, and what comes out otherwise is proposed.
Imports `next_edit` and the models.
"""
