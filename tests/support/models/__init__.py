"""Small real models and tokenizers, and where they come from."""
