"""Image to hands: palm detector, landmark network, memory from frame to frame, the graphs written out."""
