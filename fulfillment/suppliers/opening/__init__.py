"""The platform's own plans."""
