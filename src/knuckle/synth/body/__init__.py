"""The body: its mesh, skeleton, poses and grasps, alone and with two hands together."""
