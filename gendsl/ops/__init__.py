"""The primitive ops, one class each. Importing this package registers all of them."""
