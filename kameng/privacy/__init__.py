"""What is kept of shoppers, for how long, and how they get it or get rid of it (docs/compliance.md)."""
