# [B] minus [1, B]: elsewhere this silently becomes a [B, B] matrix. Here B meets B, and an axis of
# size 1 is left.
batch B
data a: [B] from digits
data b: [B, one: 1] from digits

objective gap:
    turned = rearrange b: [B, one] -> [one, B]
    minimize mean[B](a - turned)
