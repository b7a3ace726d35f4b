"""What shoppers say is wrong with a product: public, for operators; the shop's owner never sees who said it."""
