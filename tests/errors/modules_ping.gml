import modules_pong: pong

fn ping(x: real) -> real:
    return pong(x)
