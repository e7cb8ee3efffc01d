"""Fill-in-the-middle prompts: templates, the token budget, token healing. Imports
nothing of ours but `errors`."""
