"""What may be seen and sold: texts are screened when they are written, and what is doubtful waits for a person."""
