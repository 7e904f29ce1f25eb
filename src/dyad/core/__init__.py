"""The nouns: skeleton, camera, video, detections, tracks; the interfaces; the errors."""
