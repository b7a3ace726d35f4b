"""Hosts that owners bring: proven by a record that only who runs the name can set, and looked at again for good."""
