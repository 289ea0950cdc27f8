# Two modules that import each other.
import modules_ping: ping

fn f(x: real) -> real:
    return ping(x)
