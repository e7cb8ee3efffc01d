"""The model side: weights, forward pass, prompts, decoding, grammar. Knows no threads."""
