"""Text to token ids and back, byte-pair encoding. Imports nothing of ours but `errors`."""
