"""What the agent said and what it is told: the client's protocols, bytes to values and back."""
