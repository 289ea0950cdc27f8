# A schedule that starts above 1, declared as a probability.
dim T = 10

const keep: [T] in 0..1 = 1.5
