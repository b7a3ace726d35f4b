"""Opening shops for money: plans as goods of the house shop, the page to apply on, what its order tells."""
