"""What the model will read: prompts, their digests and differences, and what comes back."""
