"""Logs of requests that others wrote: one file a format, one table (`registry.FORMATS`)."""
