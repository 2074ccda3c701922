"""Words in: one thin file a command. A command reads words, calls one function of ``api``, and writes its result."""
