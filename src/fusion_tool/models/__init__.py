"""Chat models: reached, called, measured, remembered. The only place that makes and calls them."""
