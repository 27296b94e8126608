"""The body: its mesh, bones, poses, grasps, and how two hands meet."""
