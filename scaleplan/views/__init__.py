"""Numbers out: one neutral table, and the writers that print it."""
