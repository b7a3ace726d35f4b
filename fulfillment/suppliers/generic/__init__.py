"""Any small supplier with a signed HTTP interface: what differs from one to the next is configuration, not code."""
