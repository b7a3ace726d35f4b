"""How people work on cases: who has one in hand, why they decide as they do, and what an owner says against it."""
