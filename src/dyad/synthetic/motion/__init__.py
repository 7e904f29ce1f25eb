"""Motion: made without data by thinking in hips, feet and hands, or brought over from motion capture."""
