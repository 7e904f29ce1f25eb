"""Networks are trained here: one loop, recipes as frozen dataclasses, one file a network."""
