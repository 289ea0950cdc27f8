# A size is a whole number.
dim hidden = 1.5
