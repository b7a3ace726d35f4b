"""独角数卡 Next (dujiao-next): one shop buys from another."""
