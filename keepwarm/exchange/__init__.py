"""One request's life: read `life.py` first."""
