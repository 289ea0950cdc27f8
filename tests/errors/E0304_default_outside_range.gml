# The default contradicts the declared range.
hyper dropout = 1.5 in 0..1
