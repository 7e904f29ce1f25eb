"""What other tools found: their files read into tracks and detections, and several estimates made into one."""
