"""How each server wants to hear it: one dialect a file, one line in `registry.DIALECTS`."""
