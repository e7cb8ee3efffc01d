"""The model side: weights, forward pass, prompts, decoding and grammar. Knows tensors, not threads."""
