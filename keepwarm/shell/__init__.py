"""The only place that awaits: sockets, clocks, processes, and the composition of everything above."""
