"""Which runs to measure first: designs of pilot runs, what they will tell, and when they no longer pay."""
