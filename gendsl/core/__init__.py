"""The checked program: names resolved, all types known, bodies checked once for all sizes."""
