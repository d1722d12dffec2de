"""The instruments on live traffic, each with measured error rates."""
