"""What each diagnostic code means, one module per area."""
