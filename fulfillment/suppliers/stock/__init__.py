"""Our own shelf of codes."""
