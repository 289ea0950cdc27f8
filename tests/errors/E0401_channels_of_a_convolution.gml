# Channels last, where channels first are wanted.
dim C = 3
dim F = 8

fn blur(x: [H, W, C], kernel: [F, C, kh: 3, kw: 3]) -> [F, H, W]:
    return conv2d(x, kernel)
