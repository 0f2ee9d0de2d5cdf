"""Coding agents: where their settings stand, how each is started towards a gateway, what each version does."""
