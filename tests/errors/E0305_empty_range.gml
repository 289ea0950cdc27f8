# The ends of the range are swapped.
hyper beta = 1.0 in 1..0
