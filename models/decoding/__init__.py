"""The decoding loop: sampling, stops, trimming. Imports `speculative` and below."""
