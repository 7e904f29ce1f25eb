"""Rendering: how bodies and things look, which triangle each pixel sees, and what a real camera spoils."""
