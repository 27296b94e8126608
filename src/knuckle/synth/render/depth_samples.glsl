// Depth at 2 x 2 samples per pixel.
in vec3 vertex;

void main() { gl_Position = projected(vertex); }
