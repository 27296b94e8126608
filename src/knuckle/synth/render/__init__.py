"""The OpenGL renderer: meshes, materials, lights, shaders."""
