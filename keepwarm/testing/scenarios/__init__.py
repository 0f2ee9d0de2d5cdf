"""Agent conversations that break a prefix cache on purpose, with the truth about it.

A scenario is a seed, a number of turns and the names of what is injected (`table.INJECTIONS`). Its plan says what the
user asks and what the model answers (`plan`), its client shows that history to the server as a coding agent would
(`scenario`), each injection changes what is shown, and each request comes with the truth: which cause parts it from the
request before, and where. `play` plays it through the real gateway to a real llama.cpp, `simulation` through whole
lives to a perfect cache.
"""
