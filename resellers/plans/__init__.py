"""Plans: on what terms a shop is there, until when, what that costs, and who brought it."""
