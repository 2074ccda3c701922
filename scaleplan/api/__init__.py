"""One function a verb: words and files to a problem, one verb of a room, the result.

The command line and the Python names both call these and nothing else does.
"""
