"""Which run to do: the problem, its optimum, comparisons at equal compute, the frontier."""
