"""The model side: weights, forward pass, prompts, decoding, grammar. Knows neither the daemon
nor the editor."""
