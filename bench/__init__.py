"""What keepwarm costs (`python -m bench.overhead`, `python -m bench.growth`) and what it saves (`bench.prefill`)."""
