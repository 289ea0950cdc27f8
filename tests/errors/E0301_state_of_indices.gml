# Which code was used last: an index cannot be updated.
dim K = 8

state used: [K] of fin[K] = 0
