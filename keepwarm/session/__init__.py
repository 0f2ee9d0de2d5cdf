"""Who is speaking, and what stands: conversations, what went upstream for them, and the seat they keep."""
