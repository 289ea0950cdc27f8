import modules_ping: ping

fn pong(x: real) -> real:
    return ping(x)
