"""What a run costs: shapes, how parameters and FLOPs are counted, memory, layouts, the time of a step, and the bill."""
