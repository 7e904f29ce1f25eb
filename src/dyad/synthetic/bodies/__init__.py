"""Bodies: a baked mesh whose shape follows from a few numbers, its skinning, and every data set's joints on it."""
