# Nothing keeps a trained parameter between 0 and 1.
dim K = 4

param gate: [K] in 0..1 init 0.5
