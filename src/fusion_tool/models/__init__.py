"""The only place that makes and calls chat models."""
