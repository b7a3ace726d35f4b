"""Pictures that an owner gives the shop: a logo and a favicon, shown to everybody."""
