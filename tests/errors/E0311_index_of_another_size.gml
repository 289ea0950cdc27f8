# A class of 10 looks up a table of 9.
batch B
dim C = 4
data y: [B] of fin[10] from digits
param table: [k: 9, C]

objective o:
    minimize mean[B, C](square(table[y]))
