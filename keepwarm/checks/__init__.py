"""What is wrong with a set-up, and what an experiment shows: judgements from facts, pure."""
