"""Tasks: what a YAML says, where its rows lie, how they are read, and how each family learns from them."""
