"""Text out of untrusted bytes: HTML and PDF are parsed in a limited process that can be killed."""
