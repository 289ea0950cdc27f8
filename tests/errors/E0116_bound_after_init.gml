# The bound belongs to the type, the law to the start.
dim D = 4

param scale: [D] init uniform(0.5, 1) > 0
