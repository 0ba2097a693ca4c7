"""The roles that ask models: panelist, judge, synthesizer. How a model is asked, and how it is read."""
