"""Bytes: incremental frames of a stream, and edits of JSON text in place."""
