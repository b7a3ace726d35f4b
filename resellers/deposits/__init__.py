"""What an owner leaves with the platform, out of which goods are paid that they collect for themselves."""
