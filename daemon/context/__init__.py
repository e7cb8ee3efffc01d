"""What files are shown of their projects: chosen, from an index or by whoever asks, then encoded
and bound while nobody types. Imports `completion` for sessions, and `project` for what there is.
"""
