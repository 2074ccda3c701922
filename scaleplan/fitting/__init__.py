"""Where a law comes from: runs, objectives, search, intervals, back-tests, Hoffmann's three approaches."""
