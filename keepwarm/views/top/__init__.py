"""`keepwarm top`: what is shown of sessions, requests and the server now, as lines of text.

Nothing here waits, reads a key or knows a terminal library: values come in, lines go out. `shell/top` moves them.
"""
