"""What a person sees of the ledger in a terminal: `keepwarm log`, `explain`, `rule` and `statusline`.

Nothing is imported here: a status line must not wait for what the others need.
"""
