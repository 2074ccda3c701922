"""What a run costs: for now how parameters and FLOPs are counted."""
