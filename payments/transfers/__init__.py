"""What people see to on the accounts of gateways without a network: money that came, and money to be sent back."""
