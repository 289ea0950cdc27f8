# A loss whose module is not imported at all.
batch B
data x: [B, D] in 0..1 from digits
param logits: [D]

objective o:
    minimize mean[B](bernoulli_nll(expand logits: [D] -> [B, D], x))
