"""Flow and pose that correct each other: the target flow, the energies of the pose, and the turns they take."""
