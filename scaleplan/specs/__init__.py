"""Documents in and out: budgets, options, laws, models and tables of runs to core types, and back."""
