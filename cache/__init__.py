"""The per-file KV cache: segments of keys and values, rotary arithmetic, edits. Knows no model."""
