"""What would cost you the cache: one file a rule, listed once in `codes.CODES`."""
