"""What people have decided, written down once: a chain in which a changed or a missing entry shows."""
