# A class label is not a number.
batch B
data y: [B] of fin[10] from digits

objective o:
    minimize mean[B](square(y - 3))
