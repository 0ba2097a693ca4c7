"""What is measured of answers beside their score: one module a metric."""
