# Channels first meets channels last.
batch B
data x: [B, C, H, W] from digits

fn difference(a: [C, H, W], b: [H, W, C]) -> [C, H, W]:
    return a - b

objective o:
    minimize mean[..](difference(mean[B](x), mean[B](rearrange x: [B, C, H, W] -> [B, H, W, C])))
