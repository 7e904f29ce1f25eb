"""Places: surroundings, furniture, cameras, and where people stand in them."""
