"""Platform staff in a shop's admin: by a ticket, with a reason, for half an hour, and written down on both sides."""
