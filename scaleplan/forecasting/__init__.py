"""Where a run is going: its final loss from the curve so far, and what goes wrong on the way."""
