"""The real model that can read: each path of the product with it, tokens bounded. Run by `make test-model`."""
