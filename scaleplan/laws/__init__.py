"""What loss a run reaches: one functional form a file, and the law that binds forms to a paper's numbers."""
